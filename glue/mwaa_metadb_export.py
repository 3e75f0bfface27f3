"""Entry script of the Glue job: exports one group of tables; see docs/contracts/README.md for the arguments."""

import sys

if __name__ == "__main__":
    # Not above: processes that this one starts import this file too, and need no Spark.
    from metadata_export.job import main

    main(sys.argv[1:])
