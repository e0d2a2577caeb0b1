from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from dashboard.draw.charts import Chart, Line, ceiling, draw

START = datetime(2026, 3, 1, tzinfo=UTC)


def times(count: int) -> list[datetime]:
    return [START + timedelta(hours=at) for at in range(count)]


def parsed(chart: Chart) -> ET.Element:
    return ET.fromstring(str(draw(chart)))


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (0.011, 0.012), (1, 1), (5.1, 6), (19, 20), (101, 120), (2_300_000, 2_400_000)]
)
def test_the_axis_ends_at_a_round_number_not_far_above_the_highest_value(highest: float, top: float) -> None:
    assert ceiling(highest) == pytest.approx(top)


def test_the_highest_value_is_at_the_top_and_nothing_is_at_the_bottom() -> None:
    line = parsed(Chart("Sales", times(3), [Line("Sold", [0, 10, 5])])).find(".//polyline")
    assert line is not None
    assert line.get("points") == "0.0,200.0 500.0,0.0 1000.0,100.0"


def test_a_gap_in_the_values_is_a_gap_in_the_line() -> None:
    lines = parsed(Chart("Sales", times(5), [Line("Sold", [1, 2, None, 2, 1])])).findall(".//polyline")
    assert len(lines) == 2


def test_a_single_value_can_be_seen() -> None:
    line = parsed(Chart("Sales", times(1), [Line("Sold", [3])])).find(".//polyline")
    assert line is not None
    assert len((line.get("points") or "").split()) == 2


def test_a_chart_that_goes_below_zero_has_zero_in_its_middle() -> None:
    html = str(draw(Chart("Lift", times(2), [Line("Lift", [-0.3, 0.1])], zero=False)))
    assert re.findall(r"<span>([^<]+)</span>", html)[:3] == ["0.3", "0", "-0.3"]


@pytest.mark.parametrize("hours", [3, 40, 72, 24 * 30])
def test_no_two_moments_on_the_axis_read_the_same(hours: int) -> None:
    html = str(draw(Chart("Sales", times(hours), [Line("Sold", [1] * hours)])))
    shown = re.findall(r"<span>(\d\d:\d\d|Mar [^<]+)</span>", html)
    assert len(shown) == min(hours, 5)
    assert len(set(shown)) == len(shown)


def test_every_value_can_be_read_without_seeing_the_chart() -> None:
    chart = parsed(Chart("Sales", times(2), [Line("Sold", [3, 4])], band=("usual", [1, 1], [5, 6])))
    cells = [cell.text or cell[0].text for cell in chart.findall(".//tbody//td")]
    assert cells == ["3", "1 to 5", "4", "1 to 6"]


def test_what_a_client_sent_never_becomes_markup() -> None:
    html = str(draw(Chart("<script>", times(2), [Line("<b onload=x>", [1, 2])], marks=[(1, "<i>")])))
    assert "<script>" not in html
    assert "<b onload" not in html


def test_a_chart_has_no_style_that_the_pages_policy_forbids() -> None:
    html = str(draw(Chart("Sales", times(3), [Line("Sold", [1, 2, 3], area=True)], marks=[(1, "spike")])))
    assert "style=" not in html
