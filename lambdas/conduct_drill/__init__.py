"""Conduct Drill: which export is tried, and what people and the alarm are told of the outcome."""
