"""Glue as a service: what a job run is, and how its script runs."""
