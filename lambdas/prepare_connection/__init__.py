"""Prepare Connection: creates, validates or repairs the Glue connection to the metadata database."""
