"""Foreign keys that cannot hold while a table is loaded: checked later, or met by leaving rows out.

Airflow's keys are not deferrable. Those that must be are made so for the transaction, and get back what they were.
https://www.postgresql.org/docs/current/sql-altertable.html (ALTER CONSTRAINT)
"""

from collections.abc import Collection, Iterable, Mapping

from psycopg import sql

from metadata_restore.database import Connection, naming
from metadata_restore.order import against
from metadata_restore.plan import RestorePlan
from metadata_restore.target import ForeignKey, Target, TargetTable


class Deferred:
    """Keys that are checked later, within the connection's transaction."""

    def __init__(self, connection: Connection, tables: Mapping[str, TargetTable], keys: Iterable[ForeignKey]) -> None:
        """Have these keys checked later.

        Raises:
            TargetError: the role does not own a table.
        """
        self._connection, self._tables, self._keys = connection, tables, tuple(keys)
        for key in self._keys:
            self._alter(key, "DEFERRABLE INITIALLY DEFERRED")

    def tables(self) -> frozenset[str]:
        """Return the tables that these keys are about."""
        return frozenset(table for key in self._keys for table in (key.child, key.parent))

    def leave_out(self, table: str, there: Collection[str]) -> int:
        """Delete the rows of a table that lack a parent, and return how many.

        Args:
            there: the tables whose rows are complete, this one among them; only keys to these count.

        Raises:
            TargetError: a key cannot be met that way, or the connection is lost.
        """
        keys = [key for key in self._keys if key.child == table and key.parent in there]
        total = found = self._delete(table, keys) if keys else 0
        while found and any(key.parent == table for key in keys):
            total += (found := self._delete(table, keys))
        return total

    def check(self) -> None:
        """Check the keys, and have them as they were.

        Raises:
            TargetError: a row lacks its parent.
        """
        if not self._keys:
            return
        with naming("check the foreign keys"):
            self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for key in self._keys:
            was = "DEFERRABLE INITIALLY " + ("DEFERRED" if key.deferred else "IMMEDIATE")
            self._alter(key, was if key.deferrable else "NOT DEFERRABLE")

    def _delete(self, table: str, keys: Iterable[ForeignKey]) -> int:
        lacking = sql.SQL(" OR ").join(_lacking(key, self._tables[key.parent]) for key in keys)
        query = sql.SQL("WITH gone AS (DELETE FROM {} AS c WHERE {} RETURNING 1) SELECT count(*) FROM gone")
        with naming(f"leave out the rows of {table} whose parents do not exist"):
            rows = self._connection.execute(query.format(self._tables[table].relation, lacking)).fetchall()
        return int(str(rows[0][0]))

    def _alter(self, key: ForeignKey, how: str) -> None:
        statement = sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(
            self._tables[key.child].relation,
            sql.Identifier(key.name),
            sql.SQL(how),
        )
        with naming(f"have the foreign key {key.name} of {key.child} checked at another time"):
            self._connection.execute(statement)


def keys_to_defer(target: Target, order: Collection[str], plan: RestorePlan, without_orphans: bool) -> list[ForeignKey]:
    """Return the keys that cannot be checked while the tables are loaded in this order.

    Those of a circle; and where orphans are left out all keys of the tables that may have some: as the export has
    counted them, or because a parent is not restored, and of the tables that refer to these.
    """
    later = against(order, target.references())
    suspect = suspects(target, order, plan) if without_orphans else frozenset()
    return [
        key
        for key in target.foreign_keys
        if key.child in order and ((key.child, key.parent) in later or key.child in suspect)
    ]


def suspects(target: Target, order: Collection[str], plan: RestorePlan) -> frozenset[str]:
    """Return the tables that may have rows without their parents."""
    loaded = frozenset(order)
    first = {name for name in plan.orphans if name in loaded}
    first |= {child for child, parent in target.references() if child in loaded and parent not in loaded}
    return (frozenset(first) | target.referring(first)) & loaded


def _lacking(key: ForeignKey, parent: TargetTable) -> sql.Composable:
    given = sql.SQL(" AND ").join(
        sql.SQL("{} IS NOT NULL").format(sql.Identifier("c", column)) for column in key.columns
    )
    pairs = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier("p", theirs), sql.Identifier("c", own))
        for own, theirs in zip(key.columns, key.parent_columns, strict=True)
    )
    return sql.SQL("({} AND NOT EXISTS (SELECT FROM {} AS p WHERE {}))").format(given, parent.relation, pairs)
