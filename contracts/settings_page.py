"""`docs/settings.md`, made from the settings: `python -m contracts.settings_page` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from contracts.settings import Settings

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
_HEAD: Final = """\
# Settings

Made from `contracts/settings.py` by `make docs`; a test compares. A setting is an environment variable, or a line of
`.env` in the folder a command is started in; the variable wins, and an empty one counts as not set. Every process reads
them once, at its start, and refuses a value that is not allowed by the variable's name. The values of those marked
*secret* are shown nowhere.
"""

# By what a name begins with, the longest beginning first where several fit.
_CHAPTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Every process": ("MILLRACE_", "LOG_"),
    "Kafka": ("KAFKA",),
    "The worker": ("INGEST_",),
    "ClickHouse": ("CLICKHOUSE_",),
    "The archive": ("ARCHIVE_", "RETENTION_"),
    "Dagster and dbt": ("DAGSTER_", "ORCHESTRATION_"),
    "The dashboard": ("DASHBOARD_",),
    "Metrics": ("METRICS_", "PROMETHEUS_"),
    "Messages": ("SLACK_", "SMTP_", "ALERT_RULES", "ALERT_WEBHOOK_"),
    "When a check alerts": ("ALERT_",),
}
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
}
_KINDS: Final = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}
_FORMATS: Final = {"path": "a path", "date": "a day, YYYY-MM-DD", "password": "a text"}


def render() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_chapters()])


def chapter_of(name: str) -> str:
    """Return the chapter of the setting `name`.

    Raises:
        LookupError: no chapter takes it.
    """
    fitting = [
        (len(beginning), title)
        for title, beginnings in _CHAPTERS.items()
        for beginning in beginnings
        if name.startswith(beginning)
    ]
    if not fitting:
        raise LookupError(f"{name}: give it a chapter in contracts/settings_page.py")
    return max(fitting)[1]


def _chapters() -> Iterator[str]:
    schema = Settings.model_json_schema()["properties"]
    by_chapter: dict[str, list[str]] = {title: [] for title in _CHAPTERS}
    for field, facts in schema.items():
        by_chapter[chapter_of(field.upper())].append(_section(field.upper(), facts))
    for title, sections in by_chapter.items():
        yield f"## {title}\n"
        yield from sections


def _section(name: str, facts: Mapping[str, Any]) -> str:
    # An optional value is a choice between its kind and null.
    branches = [one for one in facts.get("anyOf", [facts]) if one.get("type") != "null"]
    allowed = ", or ".join(_allowed(one) for one in branches)
    default = _word(facts["default"])
    secret = " *Secret.*" if any(one.get("writeOnly") for one in branches) else ""
    return (
        f"### {name}\n\n{facts['description']}.{secret}\n\n"
        f"Allowed: {allowed}. Default: {f'`{default}`' if default else 'empty'}.\n"
    )


def _allowed(facts: Mapping[str, Any]) -> str:
    if "enum" in facts:
        return ", ".join(f"`{each}`" for each in facts["enum"])
    if "const" in facts:
        return f"`{facts['const']}`"
    kind = _FORMATS.get(facts.get("format", "")) or _KINDS.get(facts["type"], "a text")
    bounds = " and ".join(text.format(f"{facts[key]:g}") for key, text in _BOUNDS.items() if key in facts)
    pattern = f" that matches `{facts['pattern']}`" if "pattern" in facts else ""
    return f"{kind}{', ' if bounds else ''}{bounds}{pattern}"


def _word(default: object) -> str:
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


if __name__ == "__main__":
    PAGE.write_text(render())
