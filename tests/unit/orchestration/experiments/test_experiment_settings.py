"""The one file in which experiments are described."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import Permanent
from orchestration.experiments.settings import (
    ExperimentSettings,
    Guardrail,
    control_of,
    load_settings,
    planned_shares,
)
from streaming.produce.experiments import EXPERIMENTS


def written(folder: Path, text: str) -> Path:
    path = folder / "experiments.yml"
    path.write_text(text)
    return path


def test_the_shipped_file_describes_the_simulators_experiments() -> None:
    settings = load_settings()
    for experiment in EXPERIMENTS:
        named = [variation.name for variation in experiment.variations]
        expected = {variation.name: pytest.approx(variation.share) for variation in experiment.variations}
        assert planned_shares(named, settings[experiment.name]) == expected
        assert control_of(named, settings[experiment.name]) == named[0]


def test_everything_may_be_left_out(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, "")) == {}
    assert load_settings(written(tmp_path, "shop:\n")) == {"shop": ExperimentSettings()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    text = "shop: {primary: events_per_user, guardrails: {conversion: {margin: 0.02}}, shares: {a: 9, b: 1}}"
    found = load_settings(written(tmp_path, text))["shop"]
    assert found.primary == "events_per_user"
    assert found.guardrails == {"conversion": Guardrail(better="up", margin=0.02)}
    assert planned_shares(["a", "b"], found) == pytest.approx({"a": 0.9, "b": 0.1})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("shop: [", "not YAML"),
        ("- shop", "one entry an experiment"),
        ("shop: 3", "shop"),
        ("shop: {contrl: a}", "contrl"),
        ("shop: {primary: clicks}", "primary"),
        ("shop: {guardrails: {conversion: {margn: 1}}}", "margn"),
        ("shop: {guardrails: {clicks: {}}}", "clicks"),
        ("shop: {guardrails: {conversion: {margin: 1}}}", "margin"),
        ("shop: {shares: {a: 1, b: 0}}", "shares"),
        ("shop: {shares: {a: 1}}", "every variation"),
        ("shop: {shares: {a: 1, b: .nan}}", "shares"),
        ("shop: {shares: {a: 1, b: half}}", "shares"),
        ("shop: {control: c, shares: {a: 1, b: 1}}", "control c"),
        ("shop: {smallest_effect: 0}", "smallest_effect"),
        ("shop: {planned: {conversion: 0}}", "planned"),
        ("shop: {minimum_users: 1}", "minimum_users"),
        ("shop: {most_mixed: 2}", "most_mixed"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_place(tmp_path: Path, text: str, names: str) -> None:
    with pytest.raises(Permanent, match=names) as caught:
        load_settings(written(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "experiments.yml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"nowhere\.yml"):
        load_settings(tmp_path / "nowhere.yml")


@pytest.mark.parametrize(
    ("variations", "control"),
    [
        (["green", "control"], "control"),
        (["B", "A"], "A"),
        (["aa", "a"], "a"),
        (["gate_40", "gate_30"], "gate_30"),
        ([], None),
    ],
)
def test_the_control_goes_by_its_usual_names(variations: list[str], control: str | None) -> None:
    assert control_of(variations, ExperimentSettings()) == control


def test_a_named_control_without_users_is_no_control() -> None:
    assert control_of(["a", "b"], ExperimentSettings(control="c")) is None


def test_a_variation_without_a_planned_share_has_none_and_a_planned_one_without_users_keeps_its_own() -> None:
    settings = ExperimentSettings(shares={"a": 1, "b": 3})
    assert planned_shares(["a", "stray"], settings) == {"a": 0.25, "b": 0.75, "stray": 0.0}
    assert planned_shares(["x", "y"], ExperimentSettings()) == {"x": 0.5, "y": 0.5}
