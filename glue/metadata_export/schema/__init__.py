"""The schema of the database as SQL, made from the catalog of the export's snapshot."""
