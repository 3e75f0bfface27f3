"""Restores an export into PostgreSQL: the same engine under the command `restore` and in a Glue run.

It reads a plan document, streams the objects that it names, and loads them. Where they are and which database is meant
its caller says.
"""
