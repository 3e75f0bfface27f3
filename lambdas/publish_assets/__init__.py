"""Publish Assets: puts the Glue script, its wheels and the DAG in place, for CloudFormation and when asked."""
