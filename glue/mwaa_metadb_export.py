"""Entry script of the Glue jobs: exports one group of tables, or restores an export (docs/contracts/README.md)."""

import sys

if __name__ == "__main__":
    # Not above: processes that this one starts import this file too, and need no Spark.
    if "--RESTORE_PLAN" in sys.argv:
        from metadata_proof.restore_job import main
    else:
        from metadata_export.job import main

    main(sys.argv[1:])
