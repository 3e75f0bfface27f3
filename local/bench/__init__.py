"""`make bench`: how fast the export engine is, and against what."""
