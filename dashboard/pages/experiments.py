"""Which variation is better, how sure that is, and whether the experiment itself is sound."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup

from dashboard.draw import numbers
from dashboard.draw.charts import Chart, Line, draw
from dashboard.draw.parts import Column, table
from dashboard.filters import Filters
from dashboard.panel import Answers, Page, Panel

_WORDS: Final[Mapping[str, str]] = {
    "ship": "Ship it",
    "stop": "Stop it",
    "keep_running": "Keep it running",
    "broken": "Broken",
}
_NAMES: Final[Mapping[str, str]] = {
    "conversion": "conversion",
    "revenue_per_user": "revenue per user",
    "events_per_user": "events per user",
}
_COLOURS: Final = ("a", "b", "c")
Row = Mapping[str, Any]


def _verdicts(filters: Filters, answers: Answers) -> Markup:
    rows = [
        {
            **row,
            "words": Markup('<strong class="verdict {}">{}</strong>').format(
                row["verdict"] or "none", _WORDS.get(row["verdict"], "No verdict")
            ),
            "interval": _interval(row["anytime_lift_low"], row["anytime_lift_high"]),
        }
        for row in answers["experiment_verdicts"].rows
    ]
    columns = (
        Column(
            "experiment_name",
            "Experiment",
            link=lambda row: filters.address("/experiments", experiment=row["experiment_name"]),
        ),
        Column("experiment_variation", "Variation"),
        Column("words", "Verdict", lambda words: words),
        Column("reason", "Why"),
        Column("users", "Users", numbers.count),
        Column("lift", "Lift", numbers.percent),
        Column("interval", "95 % interval of the lift"),
    )
    return table(rows, columns, "Verdicts")


def _metrics(_: Filters, answers: Answers) -> Markup:
    rows = [
        {
            **row,
            "name": _NAMES.get(row["metric"], row["metric"]) + (" (decides)" if row["is_primary"] else ""),
            "here": _value(row["metric"], row["mean"]),
            "there": _value(row["metric"], row["control_mean"]),
            "interval": _interval(row["anytime_lift_low"], row["anytime_lift_high"]),
            "p": f"{row['anytime_p_adjusted']:.2g}" if row["anytime_p_adjusted"] is not None else numbers.NOTHING,
            "rail": "crossed" if row["guardrail_crossed"] else "",
        }
        for row in answers["experiment_metrics"].rows
    ]
    columns = (
        Column("experiment_variation", "Variation"),
        Column("name", "Metric"),
        Column("here", "Here", str),
        Column("there", "Control", str),
        Column("lift", "Lift", numbers.percent),
        Column("interval", "95 % interval, at any look"),
        Column("p", "p, at any look", str),
        Column("rail", "Guardrail", str),
    )
    return table(rows, columns, "Metrics of the experiment")


def _looks(_: Filters, answers: Answers) -> Markup:
    rows = answers["experiment_looks"].rows
    charts = []
    for variation, looks in groupby(rows, key=lambda row: row["experiment_variation"]):
        charts.append(_look(variation, list(looks)))
    return Markup("").join(charts)


def _look(variation: str, looks: list[Row]) -> Markup:
    metric = looks[0]["metric"]
    show = numbers.percent if metric == "conversion" else numbers.decimal
    name = _NAMES.get(metric, metric)
    chart = Chart(
        f"{variation} against control: difference in {name}",
        [look["computed_hour"] for look in looks],
        [Line("Difference", [look["difference"] for look in looks], "a")],
        show,
        (
            "95 % interval, at any look",
            [look["anytime_low"] for look in looks],
            [look["anytime_high"] for look in looks],
        ),
        zero=False,
    )
    return Markup("<h3>{} against control, {}</h3>").format(variation, name) + draw(chart)


def _split(_: Filters, answers: Answers) -> Markup:
    rows = answers["experiment_split"].rows
    columns = (
        Column("variation", "Variation"),
        Column("users", "Users", numbers.count, bar=True),
        Column("share", "Share", numbers.percent),
        Column("converted", "Converted", numbers.count),
        Column("conversion", "Conversion", numbers.percent),
        Column("revenue_each", "Revenue a user", numbers.money),
        Column("mixed", "Saw two", numbers.count),
        Column("bots", "Bots", numbers.count),
        Column("last_at", "Newest exposure (UTC)", numbers.moment),
    )
    return Markup("<p>{}</p>").format(split_words(rows[0])) + table(rows, columns, "Users by variation")


def split_words(row: Row) -> str:
    """Return in a sentence whether users were split as planned."""
    planned = f" ({row['planned']})" if row["planned"] else ""
    if row["flagged"] is None:
        return "The split has not been judged yet."
    if not row["flagged"]:
        p = f"; p = {row['split_p']:.2g}, at any look" if row["split_p"] is not None else ""
        return f"Users are split as planned{planned}{p}."
    where = f", in {', '.join(row['segments'])}" if row["segments"] else ""
    since = f", since {numbers.moment(row['off_since'])} UTC" if row["off_since"] else ""
    return f"Sample ratio mismatch: users are not split as planned{planned}{where}{since}. Do not trust the results."


def _days(_: Filters, answers: Answers) -> Markup:
    rows = answers["experiment_days"].rows
    days = sorted({row["exposure_date"] for row in rows})
    lines = []
    for at, (variation, own) in enumerate(groupby(rows, key=lambda row: row["experiment_variation"])):
        users = {row["exposure_date"]: row["exposed_users"] for row in own}
        lines.append(Line(variation, [users.get(day, 0) for day in days], _COLOURS[at % len(_COLOURS)]))
    return draw(Chart("New users of the experiment by day", days, lines))


def _interval(low: float | None, high: float | None) -> str:
    return numbers.NOTHING if low is None or high is None else f"{numbers.percent(low)} to {numbers.percent(high)}"


def _value(metric: str, value: float | None) -> str:
    return numbers.percent(value) if metric == "conversion" else numbers.money(value)


_EMPTY: Final = "No experiment has been judged yet: Dagster looks at each every half minute."

PAGE: Final = Page(
    name="experiments",
    title="Experiments",
    lead="Which variation is better, how sure that is, and whether the experiment is sound. Look as often as you like.",
    panels=(
        Panel("verdicts", "Verdicts", "experiment_verdicts", _verdicts, "experiments", _EMPTY, wide=True),
        Panel("split", "The split", "experiment_split", _split, "experiments", "No user saw it.", wide=True),
        Panel("looks", "How it went", "experiment_looks", _looks, "experiments", _EMPTY, wide=True),
        Panel("metrics", "All metrics", "experiment_metrics", _metrics, "experiments", _EMPTY, wide=True),
        Panel("days", "New users by day", "experiment_days", _days, "experiments", "No user saw it.", wide=True),
    ),
    filters=("experiment", "metric"),
    chosen=("experiment",),
)
