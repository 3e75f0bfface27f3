"""The report of an export for people: one HTML file without script and without anything from outside."""
