"""What must hold for an environment, each with its verdict and the fix."""
