"""`make deploy-local`: the SAM commands that a person runs, on the emulated AWS, from the first to `sam delete`."""
