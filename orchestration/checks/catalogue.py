"""Every check of our own, in one typed list: its question, what it says, when it runs, which settings it obeys.

`docs/checks.md` is made from this list (`make docs`), and each check has a runbook `docs/runbooks/<name>.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import dagster as dg

from contracts.names import ITEM_SALES_CHECK

Group: TypeAlias = Literal["all_there", "fresh", "sane", "remarkable", "experiments"]

QUESTIONS: Final[dict[Group, str]] = {
    "all_there": "Is it all there?",
    "fresh": "Is it fresh?",
    "sane": "Is it sane?",
    "remarkable": "Is it remarkable?",
    "experiments": "Are the experiments sound?",
}
WITH_MARTS: Final = "with every run of the marts"
EVERY_MINUTE: Final = "once a minute"
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


ITEM_SALES: Final = CheckInfo(
    name=ITEM_SALES_CHECK,
    asset="marts.fct_item_hourly",
    group="remarkable",
    fails_when=(
        "Fails when an item sells far more in an hour than its history explains: ALERT_SALES_RATIO times the expected "
        "sales or more, from ALERT_SALES_MIN sales on, and beyond chance. The running hour is judged with every run, "
        "the hour before it again when it is complete."
    ),
    runs=WITH_MARTS,
    settings=("ALERT_SALES_RULE", "ALERT_SALES_RATIO", "ALERT_SALES_MIN", "ALERT_FALSE_SHARE"),
)

CHECKS: Final[tuple[CheckInfo, ...]] = (ITEM_SALES,)
