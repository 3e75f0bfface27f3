"""Publish Assets: custom resource that puts the Glue script, its wheels and the DAG in place."""
