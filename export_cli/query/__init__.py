"""Exports as tables of DuckDB: what `query` and `insights` read. It needs the extra [query]."""
