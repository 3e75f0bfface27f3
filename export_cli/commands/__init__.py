"""One module for each command: options, one call, output."""
