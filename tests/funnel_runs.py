"""dbt runs of the funnels' models alone, for their tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.dbt_runs import dbt
from tests.funnel_cases import Funnel, variables

MARTS = ("fct_funnel_user", "fct_funnel")
RunFunnels = Callable[..., None]


def runner(settings: Settings, folder: Path) -> RunFunnels:
    """Return a function that runs dbt with given funnels: the models up to fct_funnel, or those named."""

    def run(funnels: list[Funnel], *models: str, rebuild: bool = False) -> None:
        chosen = ("--select", *(models or ("+fct_funnel",)), *(("--full-refresh",) if rebuild else ()))
        statuses = dbt(settings, folder, "run", *chosen, *variables(funnels))
        assert set(statuses.values()) == {"success"}, statuses

    return run


def contents(client: Client) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the funnels' marts, sorted."""
    return {mart: sorted(client.query(f"SELECT * FROM marts.{mart}").result_rows, key=repr) for mart in MARTS}
