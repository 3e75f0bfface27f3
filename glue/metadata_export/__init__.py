"""Exports one group of Airflow metadata tables from PostgreSQL to S3: complete, consistent, in constant memory.

source, snapshot -> catalog -> window -> plan -> copy -> upload -> manifest; `export.py` is the order of events.
"""
