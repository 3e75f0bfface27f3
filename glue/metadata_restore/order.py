"""In which order tables are loaded: a table after all that it refers to."""

from collections.abc import Collection, Iterable

Reference = tuple[str, str]
"""a table and one that it refers to"""


def load_order(tables: Collection[str], references: Iterable[Reference]) -> tuple[str, ...]:
    """Return the tables, each after all that it refers to; the same input gives the same order.

    Airflow's tables have no circle, but for tables that refer to themselves, which does not matter: PostgreSQL checks
    the keys of a COPY at its end. In a circle the table with the fewest parents that are still to come is first; the
    keys of ``against`` must then be checked later.

    Args:
        tables: to load.
        references: may be about other tables too.
    """
    parents: dict[str, set[str]] = {table: set() for table in tables}
    for child, parent in references:
        if child in parents and parent in parents and child != parent:
            parents[child].add(parent)
    ordered: list[str] = []
    while parents:
        least = min(map(len, parents.values()))
        found = sorted(table for table, missing in parents.items() if len(missing) == least)
        taken = found if least == 0 else found[:1]
        ordered += taken
        for table in taken:
            del parents[table]
        for missing in parents.values():
            missing.difference_update(taken)
    return tuple(ordered)


def against(order: Iterable[str], references: Iterable[Reference]) -> frozenset[Reference]:
    """Return the references to tables that come later in an order."""
    place = {table: number for number, table in enumerate(order)}
    return frozenset(
        (child, parent)
        for child, parent in references
        if child in place and parent in place and place[child] < place[parent]
    )
