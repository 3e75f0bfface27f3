"""Report Failure: tidies up after an execution that ended without success, and tells people."""
