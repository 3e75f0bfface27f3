"""Plan Restore: what is restored into the environment of this stack, from which objects."""
