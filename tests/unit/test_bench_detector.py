"""The short form of `make bench-detector`."""

from __future__ import annotations

import numpy as np

from benchmarks.detector.__main__ import AIMED_AT, report
from benchmarks.detector.run import Trial, table
from benchmarks.detector.shop import Options, Shop
from contracts.settings import Settings
from orchestration.checks.item_sales import HISTORY_HOURS, rule_of
from orchestration.checks.item_sales_baseline import HOURS_A_WEEK


def test_ours_is_quiet_in_ordinary_hours_and_finds_spikes_where_the_plain_rule_cries_wolf() -> None:
    random = np.random.default_rng(20_260_101)
    shop = Shop(Options(weeks=HISTORY_HOURS // HOURS_A_WEEK + 1, items=200, sales=1_500), random)
    trial = Trial(shop, rule_of(Settings(_env_file=None)), looks=3, random=random)
    trial.run(HISTORY_HOURS + 132, spike_every=4)
    ours, plain, z_score = table(trial.scores)
    assert ours["false_incidents_a_week"] <= 4  # in 36 hours: none
    assert ours["spikes"][AIMED_AT]["recall"] >= 0.9
    assert plain["false_incidents_a_week"] > 100
    assert z_score["spikes"][AIMED_AT]["recall"] < ours["spikes"][AIMED_AT]["recall"]
    assert report([ours, plain, z_score]).count("\n") == 4
