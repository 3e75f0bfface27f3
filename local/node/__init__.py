"""Node.js from PyPI, with npm packages that package-lock.json holds by version and checksum; `make lock` renews it."""
