"""Aggregate Results: verifies every exported object and writes the summary."""
