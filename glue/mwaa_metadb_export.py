"""Entry script of the Glue jobs: exports a group of tables, restores an export or tries one (docs/contracts)."""

import sys

if __name__ == "__main__":
    # Not above: processes that this one starts import this file too, and need no Spark.
    if "--RESTORE_PLAN" in sys.argv:
        from metadata_proof.restore_job import main
    elif "--DRILL_PLAN" in sys.argv:
        from metadata_proof.drill_job import main
    else:
        from metadata_export.job import main

    main(sys.argv[1:])
