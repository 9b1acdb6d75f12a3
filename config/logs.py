"""Logging: one record is one line, whatever is in it; JSON in production, plain words otherwise."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

# What a line may be given on top of its message: `logger.info("...", extra={"reference": ...})`.
EXTRA_FIELDS = ("reference", "job", "attempt", "queue", "status_code")


class PlainFormatter(logging.Formatter):
    """`time level logger: message`, with line breaks of the message escaped so that nobody forges a line.

    A traceback follows on lines of its own.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        """Return the line of the record, without its traceback."""
        record.message = escape(record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; the traceback is a field of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: str(getattr(record, name)) for name in EXTRA_FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class WithoutTraceback(logging.Filter):
    """Drops Django's own record of a failure: `config.views.server_error` logs it with its reference."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the records that carry no exception."""
        return not record.exc_info


def escape(text: str) -> str:
    r"""Return the text with control characters, line breaks among them, written as \x.. or \n."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def configuration(*, as_json: bool) -> dict[str, Any]:
    """Return Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_traceback": {"()": WithoutTraceback}},
        "formatters": {"line": {"()": JsonFormatter if as_json else PlainFormatter}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            # Propagates to the root; Django would otherwise add handlers of its own.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.request": {"filters": ["without_traceback"], "level": "ERROR"},
            "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        },
    }
