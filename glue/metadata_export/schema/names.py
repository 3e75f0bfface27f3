"""Which objects are a user's own, for all queries of this package.

The transaction has an empty search_path: PostgreSQL looks into pg_catalog alone, and everything that it prints, names,
types, expressions, has its schema before it. A column of the catalog that not every version has is asked for through
to_jsonb, which gives NULL where there is none.
"""

USERS = "(n.nspname <> 'information_schema' AND n.nspname !~ '^pg_')"


def there(oid: str) -> str:
    """Return a condition: this relation is there now, whatever the snapshot sees.

    PostgreSQL's functions that print definitions fail on one that was dropped since (a leftover of `airflow db clean`).
    pg_table_is_visible takes no lock, and tells NULL of it: https://www.postgresql.org/docs/current/functions-info.html
    """
    return f"pg_catalog.pg_table_is_visible({oid}) IS NOT NULL"


def own(catalog: str, oid: str) -> str:
    """Return a condition: this row of a catalog was not made by CREATE EXTENSION; a relation is still there."""
    still = f"{there(oid)} AND " if catalog == "pg_class" else ""
    return (
        f"{still}NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass AND e.objid = {oid}"
        " AND e.deptype = 'e')"
    )


def collation(oid: str, default: str) -> str:
    """Return an expression: a COLLATE clause, or NULL where the collation is the default one."""
    return (
        f"(SELECT format(' COLLATE %I.%I', s.nspname, o.collname) FROM pg_collation o"
        f" JOIN pg_namespace s ON s.oid = o.collnamespace WHERE o.oid = {oid} AND {oid} <> {default})"
    )
