"""Machinery that the functions share and that knows nothing of exports: AWS calls, objects, errors, logs, wording."""
