"""Proves that an export restores: into a scratch PostgreSQL, which is then compared with what the export recorded.

It stands on both engines: the restore's, which it tries, and the export's, whose way of reading rows it repeats, so
that both sides agree by construction.
"""
