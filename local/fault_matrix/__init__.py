"""Faults for a running local stack, and the fault matrix (`make faults`).

`faulted_stack.py` is the stack that is faulted, without Airflow; `scenario.py` one scenario on it; `outcome.py`
collects what came of it, `verdict.py` judges that, `matrix.py` shows it. Faults of AWS are in `local/aws/injection`,
those on the way to the database in `proxy.py`.

A scenario is a test in `tests/faults`. Its docstring is the fault's name in the matrix, its module the place:

    def test_lost_object(scenario: Scenario) -> None:
        'CompleteMultipartUpload is answered, but there is no object.'  # as a docstring
        scenario.faults.lose("/log_")

        scenario.start()

        scenario.must_recover("logs", "/log_", "does not exist")
"""
