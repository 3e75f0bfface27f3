"""A table's values as the database gives them where a reader should give the same."""

from psycopg import sql

# What the recipes make values of; everything else stays PostgreSQL's text.
CONVERTED = ("smallint", "integer", "bigint", "double precision", "boolean", "timestamp with time zone")
MOMENT_TYPES = ("timestamp with time zone", "timestamp without time zone", "date")


def value(name: str, kind: str) -> sql.Composable:
    return sql.Identifier(name) if kind in CONVERTED else as_text(name, kind)


def as_text(name: str, kind: str) -> sql.Composable:
    # A cast says true and false; t and f is what the type's own output function writes, and so COPY.
    text = "CASE WHEN {0} THEN 't' WHEN NOT {0} THEN 'f' END" if kind == "boolean" else "{0}::text"
    return sql.SQL(text).format(sql.Identifier(name))


def held(name: str) -> sql.Composable:
    """Return a moment, or NULL where Parquet's type cannot hold it."""
    year = "extract(year FROM {0}) BETWEEN 1 AND 9999"
    return sql.SQL(f"CASE WHEN isfinite({{0}}) AND {year} THEN {{0}} END").format(sql.Identifier(name))


def parquet_value(name: str, kind: str) -> sql.Composable:
    if kind in MOMENT_TYPES:
        return held(name)
    if kind == "real":  # psycopg gives the shortest number that is the same float4
        return sql.SQL("{}::float8").format(sql.Identifier(name))
    return sql.Identifier(name) if kind in (*CONVERTED, "bytea") else as_text(name, kind)
