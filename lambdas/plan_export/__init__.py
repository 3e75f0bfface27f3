"""Plan Export: validates the input, decides whether an export is due, and fixes what it consists of."""
