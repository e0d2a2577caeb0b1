"""A/B tests whose results are known."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from orchestration.experiments.means import welch
from orchestration.experiments.proportions import two_proportions
from orchestration.experiments.results import experiment_results
from orchestration.experiments.sample import sample
from orchestration.experiments.sample_ratio import chi_square
from tests.experiment_data import empty, exposures

# The data's licence is not stated, so it does not ship: it is read where it lies beside the project.
COOKIE_CATS = Path(__file__).resolve().parents[5] / "shared" / "data" / "cookie-cats.csv.gz"
TESTS = {
    "cookie cats, day 1": ((20_034, 44_700), (20_119, 45_489), -1.784086, 0.074409655, 6.902405, 0.0086079878),
    "cookie cats, day 7": ((8_502, 44_700), (8_279, 45_489), -3.164359, 0.00155425, 6.902405, 0.0086079878),
    "landing page": ((17_489, 145_274), (17_264, 145_310), -1.310924, 0.18988337, 0.004460, 0.94675437),
}


@pytest.mark.parametrize("name", TESTS)
def test_the_published_counts_give_the_published_results(name: str) -> None:
    control, treatment, z, p, ratio, ratio_p = TESTS[name]
    found = two_proportions(control, treatment)
    assert found.statistic == pytest.approx(z, abs=5e-7)
    assert found.p == pytest.approx(p, rel=1e-6)
    assert chi_square([control[1], treatment[1]], [0.5, 0.5]) == pytest.approx((ratio, ratio_p), rel=1e-4)


@pytest.fixture(scope="module")
def cookie_cats() -> pl.DataFrame:
    if not COOKIE_CATS.exists():
        pytest.skip("cookie-cats.csv.gz is not beside the project")
    return pl.read_csv(COOKIE_CATS)


def test_cookie_cats_gives_its_known_results_from_its_file(cookie_cats: pl.DataFrame) -> None:
    arms = [cookie_cats.filter(version=name) for name in ("gate_30", "gate_40")]
    for day, name in (("retention_1", "cookie cats, day 1"), ("retention_7", "cookie cats, day 7")):
        counts = [(int(arm[day].sum()), arm.height) for arm in arms]
        assert counts == list(TESTS[name][:2])
    rounds = [arm["sum_gamerounds"] for arm in arms]
    samples = [sample(len(each), each.sum(), (each**2).sum()) for each in rounds]
    assert [each.mean for each in samples] == pytest.approx([52.456263982, 51.298775528], rel=1e-9)
    found = welch(*samples)
    assert (found.statistic, found.p) == pytest.approx((-0.885437433, 0.375924384), rel=1e-8)


def test_the_results_table_holds_the_known_figures_with_gate_30_as_the_control(cookie_cats: pl.DataFrame) -> None:
    sums = cookie_cats.group_by("version").agg(
        exposed_users=pl.len(),
        converted_users=pl.col("retention_7").sum(),
        events=pl.col("sum_gamerounds").sum(),
        events_sum_squares=(pl.col("sum_gamerounds") ** 2).sum(),
    )
    rows = [empty("cookie_cats", row.pop("version"), **row) for row in sums.to_dicts()]
    found = {row["metric"]: row for row in experiment_results(pl.DataFrame(rows), exposures(), {}).to_dicts()}
    assert {row["control_variation"] for row in found.values()} == {"gate_30"}
    assert found["conversion"]["p"] == pytest.approx(0.00155425, rel=1e-5)
    assert found["events_per_user"]["p"] == pytest.approx(0.375924384, rel=1e-8)
    assert found["conversion"]["srm_chi_square_p"] == pytest.approx(0.0086079878, rel=1e-6)
    assert not found["conversion"]["srm_flagged"]
