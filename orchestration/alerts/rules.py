"""Who is told what, where and when: one YAML file, read and judged as a whole."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from contracts.errors import UserError
from contracts.settings import Settings
from orchestration.alerts.incidents import Incident
from orchestration.alerts.lifecycle import Policy

RULES_FILE: Final = Path(__file__).parent / "rules.yml"
_RANK: Final = {"warning": 0, "error": 1}


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name}; an example of one is Europe/Berlin") from None
    return name


def _clock_time(value: object) -> object:
    # YAML reads an unquoted 22:00 as the number 1320.
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value // 60:02d}:{value % 60:02d}"
    return value


Patterns = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Zone = Annotated[str, AfterValidator(_known_zone)]
TimeOfDay = Annotated[time, BeforeValidator(_clock_time)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChannelRule(_Part):
    """A place that takes messages.

    Args:
        kind: how it is spoken to.
        channel: of Slack, as #name or id; empty: SLACK_CHANNEL.
        to: addresses of an email channel; none: SMTP_TO.
        url: of a webhook; empty: ALERT_WEBHOOK_URL.

    """

    kind: Literal["slack", "email", "webhook", "log"]
    channel: str = ""
    to: Patterns | tuple[()] = ()
    url: str = ""


class Route(_Part):
    """Which incidents go where: every field that is given must match, with * for any characters."""

    severity: Patterns = ("*",)
    group: Patterns = ("*",)
    owner: Patterns = ("*",)
    subject: Patterns = ("*",)
    channels: Annotated[tuple[str, ...], BeforeValidator(_listed)]

    def matches(self, incident: Incident, owner: str) -> bool:
        """Return whether the incident goes this way."""
        pairs = (
            (self.severity, incident.severity),
            (self.group, incident.group_name),
            (self.owner, owner),
            (self.subject, incident.subject),
        )
        return all(any(fnmatchcase(value, pattern) for pattern in patterns) for patterns, value in pairs)


class Owner(_Part):
    """Somebody who looks after things.

    Args:
        mention: what calls them in Slack: <@U0123>, <!subteam^S0123>, <!here>; empty: only the name is shown.
        groups: groups that are theirs when Dagster names no owner.

    """

    mention: str = ""
    groups: Patterns | tuple[()] = ()


class QuietHours(_Part):
    """When only what is bad enough may make a sound; the rest waits. Edits make none and go on."""

    start: TimeOfDay
    end: TimeOfDay
    zone: Zone = "UTC"
    let_through: Literal["error", "none"] = "error"

    def until(self, now: datetime, severity: str) -> datetime | None:
        """Return when a message of `severity` may be sent, or None for now."""
        local = now.astimezone(ZoneInfo(self.zone))
        at = local.time()
        is_quiet = self.start <= at < self.end if self.start < self.end else at >= self.start or at < self.end
        if not is_quiet or (self.let_through == "error" and severity == "error"):
            return None
        day = local.date() + timedelta(days=1 if at >= self.end else 0)
        return datetime.combine(day, self.end, ZoneInfo(self.zone))


class RateLimit(_Part):
    """At most so many new messages in so many minutes, by channel and group; the next says how many were held back."""

    messages: int = Field(ge=1)
    minutes: float = Field(gt=0)


class Digest(_Part):
    """Once a day, at this hour, what happened since the last one."""

    hour: int = Field(ge=0, le=23)
    zone: Zone = "UTC"
    channels: Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Rules(_Part):
    """The whole file; see docs/alerts.md."""

    channels: dict[str, ChannelRule]
    routes: tuple[Route, ...]
    owners: dict[str, Owner] = {}
    watch: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    quiet_hours: QuietHours | None = None
    rate_limit: RateLimit | None = None
    digest: Digest | None = None
    escalate_after_minutes: float | None = Field(30, gt=0)
    reopen_within_minutes: float = Field(10, ge=0)
    refresh_minutes: float = Field(5, ge=0)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        named = [("watch", self.watch), *((f"routes.{n}", route.channels) for n, route in enumerate(self.routes))]
        if self.digest:
            named.append(("digest", self.digest.channels))
        known = ", ".join(self.channels) or "none"
        for place, names in named:
            for name in names:
                if name not in self.channels:
                    raise ValueError(f"{place} names the channel {name!r}; there are {known}")
        return self

    @property
    def policy(self) -> Policy:
        """The times in an incident's life."""
        waits = self.escalate_after_minutes
        return Policy(
            reopen_within=timedelta(minutes=self.reopen_within_minutes),
            refresh_every=timedelta(minutes=self.refresh_minutes),
            escalate_after=timedelta(minutes=waits) if waits is not None else None,
        )

    def owner_of(self, incident: Incident) -> str:
        """Return who looks after it: whom Dagster names, else whose group it is, else ''."""
        if incident.owner:
            return incident.owner
        theirs = (
            name
            for name, owner in self.owners.items()
            if any(fnmatchcase(incident.group_name, pattern) for pattern in owner.groups)
        )
        return next(theirs, "")

    def mention_of(self, incident: Incident) -> str:
        """Return what calls the incident's owner; '' when nothing does."""
        owner = self.owners.get(self.owner_of(incident))
        return owner.mention if owner else ""

    def channels_of(self, incident: Incident) -> tuple[str, ...]:
        """Return where the incident is told: the channels of the first route that matches."""
        owner = self.owner_of(incident)
        return next((route.channels for route in self.routes if route.matches(incident, owner)), ())


def load_rules(settings: Settings) -> Rules:
    """Read ALERT_RULES.

    Raises:
        UserError: the file is missing, is not YAML, or says something impossible; one line that names the place.

    """
    path = settings.alert_rules or RULES_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"ALERT_RULES: {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    try:
        rules = Rules.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path.name}: {_explain(error)}") from None
    mistakes = [mistake for name, one in rules.channels.items() if (mistake := _mistake(name, one, rules, settings))]
    if mistakes:
        raise UserError(f"{path.name}: {'; '.join(mistakes)}")
    return rules


def is_configured(rule: ChannelRule, settings: Settings) -> bool:
    """Return whether the channel has what it needs; a Slack without a token has the log."""
    if rule.kind == "email":
        return bool(settings.smtp_host and (rule.to or settings.smtp_recipients))
    return rule.kind != "webhook" or bool(rule.url or settings.alert_webhook_url.get_secret_value())


def _mistake(name: str, rule: ChannelRule, rules: Rules, settings: Settings) -> str:
    used = {one for route in rules.routes for one in route.channels} | set(
        rules.digest.channels if rules.digest else ()
    )
    if name not in used or is_configured(rule, settings):
        return ""
    needs = "SMTP_HOST and SMTP_TO (or `to:`)" if rule.kind == "email" else "ALERT_WEBHOOK_URL (or `url:`)"
    return f"the channel {name} needs {needs}"


def _explain(error: ValidationError) -> str:
    lines = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(map(str, detail["loc"]))
        lines.append(f"{place}: {detail['msg'].removeprefix('Value error, ')}".removeprefix(": "))
    return "; ".join(dict.fromkeys(lines))
