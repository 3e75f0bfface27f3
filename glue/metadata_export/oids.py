"""Oids in statements."""

from collections.abc import Iterable

from psycopg import sql


def oid_array(oids: Iterable[int]) -> sql.Composable:
    """Return oids as a literal; psycopg would write an array of bigint, which is compared with oid row by row."""
    return sql.SQL("'{{{}}}'::pg_catalog.oid[]").format(sql.SQL(",").join(sql.SQL(str(int(oid))) for oid in oids))
