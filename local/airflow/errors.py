"""What can go wrong with the local Airflow."""


class LocalAirflowError(Exception):
    """The local Airflow cannot be installed, started or asked. The text says what to do."""


class NoAnswerError(LocalAirflowError):
    """Airflow's web server cannot be reached, or takes too long."""


class ApiError(LocalAirflowError):
    """Airflow's REST API answered with an error."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        super().__init__(f"{method} {path} answered {status}: {text}")
        self.status = status
