"""The ErrorMessage of a job run is what ended its script, whatever Spark's Java writes to the same stream."""

import pytest

from local.aws.glue import failure

SCRIPT = """
26/11/28 15:30:01 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform
Traceback (most recent call last):
  File "/py/metadata_export/job.py", line 40, in main
    _export(argv)
psycopg.errors.InsufficientPrivilege: permission denied for table closed_table

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/tmp/script.py", line 8, in <module>
    main(sys.argv[1:])
metadata_export.errors.ExportError: cannot export the table closed_table
"""
EXCEPTION = "metadata_export.errors.ExportError: cannot export the table closed_table"
JAVA = """
26/11/28 15:30:09 ERROR Utils: Uncaught exception in thread shutdown-hook-0
java.lang.InterruptedException
\tat java.base/java.lang.Object.wait0(Native Method)
Exception in thread "Thread-4" org.apache.spark.SparkException: Traceback (most recent call last):
  File "/py/worker.py", line 1, in main
ValueError: of a task
\tat org.apache.spark.api.python.PythonRunner.run(PythonRunner.scala:1)
java.io.IOException: Stream closed
"""


@pytest.mark.parametrize("said", [SCRIPT, JAVA + SCRIPT, SCRIPT + JAVA], ids=["alone", "before", "after"])
def test_given_java_that_writes_too_then_the_scripts_own_exception_is_told(said: str) -> None:
    assert failure.of_exit(1, said.splitlines()) == f"Error Category: UNCLASSIFIED_ERROR; {EXCEPTION}"


def test_given_a_script_that_cannot_be_read_then_its_error_is_told() -> None:
    said = '  File "/tmp/script.py", line 1\n    x =\n       ^\nSyntaxError: invalid syntax\n'

    assert failure.of_exit(1, said.splitlines()).endswith("; SyntaxError: invalid syntax")


def test_given_a_script_that_only_exits_then_its_last_line_is_told() -> None:
    assert failure.of_exit(2, ["it ran", "no such table"]).endswith("; SystemExit: no such table")
    assert failure.of_exit(2, []).endswith("; SystemExit: 2")
