"""Real metadata schemas: made once by `airflow db migrate` of the version itself, kept as dumps in `.local/schemas`."""
