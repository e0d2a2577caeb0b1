"""What a check says of itself: its question, when it fails, when it runs, which settings it obeys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import dagster as dg

Group: TypeAlias = Literal["all_there", "fresh", "sane", "remarkable", "experiments"]

QUESTIONS: Final[dict[Group, str]] = {
    "all_there": "Is it all there?",
    "fresh": "Is it fresh?",
    "sane": "Is it sane?",
    "remarkable": "Is it remarkable?",
    "experiments": "Are the experiments sound?",
}
WITH_MARTS: Final = "with every run of the marts"
EVERY_MINUTE: Final = "once a minute, every ten seconds while a check upstream fails"
EVERY_TEN_MINUTES: Final = "every ten minutes"
WITH_ANALYSES: Final = "after each look at the experiments"


@dataclass(frozen=True)
class CheckInfo:
    """One check.

    Args:
        name: as Dagster and messages show it.
        asset: the table it is about, as `database.table`.
        group: the question it answers.
        fails_when: a sentence.
        runs: when.
        settings: environment variables that decide.

    """

    name: str
    asset: str
    group: Group
    fails_when: str
    runs: str
    settings: tuple[str, ...] = ()

    @property
    def asset_key(self) -> dg.AssetKey:
        """The asset's key."""
        return dg.AssetKey(self.asset.split("."))

    @property
    def key(self) -> dg.AssetCheckKey:
        """The check's key."""
        return dg.AssetCheckKey(self.asset_key, self.name)

    @property
    def runbook(self) -> str:
        """The page that says what to do, from the project's root."""
        return f"docs/runbooks/{self.name}.md"


def asset_check(info: CheckInfo) -> Callable[[Callable[..., Any]], dg.AssetChecksDefinition]:
    """Return the decorator that makes a function the check that `info` describes; it never blocks what follows."""
    return dg.asset_check(
        asset=info.asset_key,
        name=info.name,
        blocking=False,
        description=info.fails_when,
        metadata={"group": info.group, "runbook": info.runbook},
    )
