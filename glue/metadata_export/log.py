"""One JSON object per line on standard output: Glue keeps it in CloudWatch, where Logs Insights finds the fields."""

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = logging.getLogger("metadata_export")


class JsonFormatter(logging.Formatter):
    """Format a record as one line; JSON escapes what a hostile value could use to forge a second one."""

    def __init__(self, context: dict[str, str]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, message, the context, and the record's `fields`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **self._context,
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, default=str)


def configure(context: dict[str, str]) -> None:
    """Send this package's records to standard output, each with `context` (export id, group)."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(context))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def info(message: str, **fields: object) -> None:
    """Log what happened, with its figures as fields of their own."""
    LOGGER.info(message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    """Log what a person should know although the run goes on."""
    LOGGER.warning(message, extra={"fields": fields})
