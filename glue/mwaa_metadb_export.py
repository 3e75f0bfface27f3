"""Entry script of the Glue job: exports one group of tables; see docs/contracts/README.md for the arguments."""

import sys

from metadata_export.job import main

if __name__ == "__main__":
    main(sys.argv[1:])
