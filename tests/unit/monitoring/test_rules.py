"""The rules say what they mean: Prometheus' own tool takes them, each alert is tried, told and has a runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from contracts.metrics import METRICS
from contracts.platform_metrics import PLATFORM_METRICS
from local.paths import ROOT
from monitoring.rules import ALERTS, RECORDED, Alert, Recorded

TRIED: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/unit/monitoring/alerts_test.yml").read_text())["tests"]
with_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's package prometheus")


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@with_promtool
def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    done = promtool("check", "config", "monitoring/prometheus.yml")
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.count("rules found") == 2


@with_promtool
def test_each_alert_fires_when_it_should_and_not_before() -> None:
    done = promtool("test", "rules", "tests/unit/monitoring/alerts_test.yml")
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_alert_is_tried_both_ways() -> None:
    tries = [one for test in TRIED for one in test.get("alert_rule_test", [])]
    for fires in (True, False):
        tried = {one["alertname"] for one in tries if bool(one["exp_alerts"]) is fires}
        assert {alert.name for alert in ALERTS} - tried - ({"IngestWorkerDown"} if not fires else set()) == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_a_severity_one_sentence_and_a_place_in_a_runbook(alert: Alert) -> None:
    assert alert.severity in {"critical", "warning"}
    spoken = re.sub(r"\{\{.*?\}\}", "", alert.summary)
    assert spoken.strip().endswith(".")
    path, anchor = alert.runbook.split("#")
    assert re.fullmatch(r"docs/runbooks/\w+\.md", path)
    headings = re.findall(r"^## (\w+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert alert.name in headings
    assert anchor == alert.name.lower()


def test_every_heading_of_an_alerts_runbook_is_an_alert() -> None:
    pages = {ROOT / alert.runbook.split("#")[0] for alert in ALERTS}
    headings = [name for page in pages for name in re.findall(r"^## (\w+)$", page.read_text(), re.MULTILINE)]
    assert sorted(headings) == sorted(alert.name for alert in ALERTS)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.name)
def test_a_recorded_figure_says_what_it_is(recorded: Recorded) -> None:
    assert re.fullmatch(r"millrace:[a-z_]+:[a-z0-9_]+", recorded.name)
    assert recorded.meaning.endswith(".")


def test_the_readme_knows_how_many_alerts_there_are() -> None:
    assert f"with {len(ALERTS)} alerts about" in (ROOT / "README.md").read_text()


def test_rules_name_metrics_that_exist() -> None:
    known = {metric.name + end for metric in (*METRICS, *PLATFORM_METRICS) for end in ("", "_bucket", "_sum", "_count")}
    known |= {recorded.name for recorded in RECORDED}
    expressions = " ".join([*(one.expression for one in ALERTS), *(one.expression for one in RECORDED)])
    assert set(re.findall(r"\bmillrace[_:][\w:]+", expressions)) - known == set()
