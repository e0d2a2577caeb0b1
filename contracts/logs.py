"""How a process logs: as text for people or as JSON for collectors, never with a secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import SecretStr

from contracts.settings import Settings

_TEXT: Final = "%(asctime)s %(levelname)s %(message)s"
_HIDDEN: Final = "***"
# Shorter ones would be found inside ordinary words, and the holes would give them away.
_SHORTEST_SECRET: Final = 4
# What every record has; anything else was passed as `extra` and belongs to the message.
_COMMON: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure_logs(settings: Settings, worker: str | None = None) -> None:
    """Send this process's log to stderr as `LOG_FORMAT` and `LOG_LEVEL` say.

    Args:
        settings: format, level, and the secrets that are blotted out wherever they turn up.
        worker: named in each JSON line.
    """
    handler = logging.StreamHandler()
    secrets = secret_values(settings)
    is_json = settings.log_format == "json"
    handler.setFormatter(JsonFormatter(secrets, worker) if is_json else TextFormatter(secrets))
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # Other people's debug lines (each HTTP request) would drown ours.
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("millrace").setLevel(level)


def secret_values(settings: Settings) -> tuple[str, ...]:
    """Return the values that must not show."""
    fields = (getattr(settings, name) for name in type(settings).model_fields)
    values = {field.get_secret_value() for field in fields if isinstance(field, SecretStr)}
    return tuple(sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))


class TextFormatter(logging.Formatter):
    """One line a record: time, level, message.

    Args:
        secrets: texts that are replaced by ***.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(_TEXT)
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        return _blot(super().format(record), self._secrets)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, worker, and the record's extra fields.

    Args:
        secrets: texts that are replaced by ***.
        worker: the field of that name; left out when None.
    """

    def __init__(self, secrets: Iterable[str] = (), worker: str | None = None) -> None:
        super().__init__()
        self._secrets = tuple(secrets)
        self._fixed = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line; a traceback is its field `exception`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._fixed,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        extra = {name: value for name, value in record.__dict__.items() if name not in _COMMON}
        return json.dumps(_cleaned(extra | line, self._secrets), default=str, ensure_ascii=False)


def _cleaned(value: Any, secrets: tuple[str, ...]) -> Any:
    """Return `value` without secrets in its texts; blotting the finished JSON could break its escapes."""
    if isinstance(value, Mapping):
        return {str(name): _cleaned(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_cleaned(each, secrets) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _blot(str(value), secrets)


def _blot(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text
