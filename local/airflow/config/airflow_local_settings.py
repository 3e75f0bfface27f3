"""Cluster policy of the local Airflow: the export DAG, unchanged, runs when it is told to and is looked at more often.

Airflow imports this module by its name from the PYTHONPATH.
"""

from airflow.timetables.simple import NullTimetable

EXPORT_DAG = "mwaa_metadata_export"
POKE_SECONDS = 5


def dag_policy(dag):
    """Take the schedule off: a first scheduled run would start at once, beside the run that is asked for."""
    if dag.dag_id == EXPORT_DAG:
        dag.timetable = NullTimetable()
        if hasattr(dag, "schedule_interval"):  # Airflow 2 keeps both
            dag.schedule_interval = None


def task_policy(task):
    """Look for the outcome every few seconds: the local export is over in half a minute."""
    if task.dag_id == EXPORT_DAG and hasattr(task, "poke_interval"):
        task.poke_interval = POKE_SECONDS
