"""Every check of our own, in one typed list.

`docs/checks.md` is made from this list (`make docs`), and each check has a runbook `docs/runbooks/<name>.md`.
"""

from __future__ import annotations

from typing import Final

from contracts.names import EVENT_PROFILES, ITEM_SALES_CHECK
from orchestration.checks.check_info import EVERY_MINUTE, EVERY_TEN_MINUTES, WITH_ANALYSES, WITH_MARTS, CheckInfo

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

OFFSETS: Final = CheckInfo(
    name="offsets_all_landed",
    asset="raw.events",
    group="all_there",
    fails_when=(
        "Fails when an offset that Kafka gave out is in neither raw table, or in them more than once, or when a topic "
        "was created anew under its old name."
    ),
    runs=EVERY_MINUTE,
)
SALES_BY_HOP: Final = CheckInfo(
    name="marts_hold_what_landed",
    asset="marts.fct_item_hourly",
    group="all_there",
    fails_when=(
        "Fails when staging, the models between or the marts hold fewer sales of the last complete hour, or less "
        "revenue, than the last run folded in, or more than has landed; each event counts once."
    ),
    runs=EVERY_MINUTE,
)
DEAD_LETTERS: Final = CheckInfo(
    name="dead_letter_share",
    asset="raw.dead_letters",
    group="all_there",
    fails_when="Fails when more than ALERT_DEAD_LETTER_SHARE of ten minutes' messages, at least 10, are no events.",
    runs=EVERY_MINUTE,
    settings=("ALERT_DEAD_LETTER_SHARE",),
)
REPEATS: Final = CheckInfo(
    name="repeated_events",
    asset="raw.events",
    group="all_there",
    fails_when=(
        "Fails when more than ALERT_REPEAT_SHARE of the events of five minutes, at least 20, repeat an event_id: a "
        "client sends events twice. The marts count each once."
    ),
    runs=EVERY_MINUTE,
    settings=("ALERT_REPEAT_SHARE",),
)
KAFKA_FRESH: Final = CheckInfo(
    name="kafka_is_fresh",
    asset="raw.events",
    group="fresh",
    fails_when="Fails when Kafka has had no new message for ALERT_SILENCE_SECONDS.",
    runs=EVERY_MINUTE,
    settings=("ALERT_SILENCE_SECONDS",),
)
RAW_FRESH: Final = CheckInfo(
    name="raw_is_fresh",
    asset="raw.events",
    group="fresh",
    fails_when="Fails when a message has waited in Kafka for more than ALERT_RAW_DELAY_SECONDS and has not landed.",
    runs=EVERY_MINUTE,
    settings=("ALERT_RAW_DELAY_SECONDS",),
)
MARTS_FRESH: Final = CheckInfo(
    name="marts_are_fresh",
    asset="marts.fct_item",
    group="fresh",
    fails_when="Fails when a row that landed more than ALERT_MARTS_DELAY_SECONDS ago is not folded in by every model.",
    runs=EVERY_MINUTE,
    settings=("ALERT_MARTS_DELAY_SECONDS",),
)

ITEM_DROPS: Final = CheckInfo(
    name="item_sales_drops",
    asset="marts.fct_item_hourly",
    group="remarkable",
    fails_when=(
        "Fails when an item sold far less in the last complete hour than its history explains: at most "
        "ALERT_DROP_RATIO times the expected sales, where at least ALERT_SALES_MIN were expected, and beyond chance."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_DROP_RATIO", "ALERT_SALES_MIN", "ALERT_FALSE_SHARE"),
)
CONVERSION: Final = CheckInfo(
    name="conversion_within_expected",
    asset="marts.fct_item_hourly",
    group="remarkable",
    fails_when=(
        "Fails when the views of a category's items led to ALERT_RATE_RATIO times more or fewer purchases in the last "
        "complete hour than in the four weeks before, beyond chance."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_RATE_RATIO", "ALERT_SALES_MIN", "ALERT_FALSE_SHARE"),
)
REVENUE: Final = CheckInfo(
    name="revenue_within_expected",
    asset="marts.fct_item_hourly",
    group="remarkable",
    fails_when=(
        "Fails when the views of a category's items brought ALERT_RATE_RATIO times more or less revenue in the last "
        "complete hour than in the four weeks before, beyond chance."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_RATE_RATIO", "ALERT_SALES_MIN", "ALERT_FALSE_SHARE"),
)
FUNNEL_STEPS: Final = CheckInfo(
    name="funnel_steps_within_expected",
    asset="marts.fct_funnel",
    group="remarkable",
    fails_when=(
        "Fails when ALERT_RATE_RATIO times more or fewer users than in the four weeks before went on to a step of a "
        "funnel, beyond chance, on the day before yesterday: the last one whose attempts are over."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_RATE_RATIO", "ALERT_SALES_MIN", "ALERT_FALSE_SHARE"),
)
SAMPLE_RATIO: Final = CheckInfo(
    name="experiment_sample_ratio",
    asset="ops.experiment_results",
    group="experiments",
    fails_when="Fails when the users of an experiment are not spread over its variations as planned.",
    runs=WITH_ANALYSES,
)
MIXED_USERS: Final = CheckInfo(
    name="experiment_mixed_users",
    asset="ops.experiment_results",
    group="experiments",
    fails_when="Fails when more users of an experiment saw two variations than its entry in experiments.yml accepts.",
    runs=WITH_ANALYSES,
)
GUARDRAILS: Final = CheckInfo(
    name="experiment_guardrails",
    asset="ops.experiment_results",
    group="experiments",
    fails_when="Fails when a variation surely loses more in a guardrail than its margin.",
    runs=WITH_ANALYSES,
)
RESULTS_READY: Final = CheckInfo(
    name="experiment_results_ready",
    asset="ops.experiment_results",
    group="experiments",
    fails_when="Fails when a variation is decided, to be shipped or stopped: somebody has something to do.",
    runs=WITH_ANALYSES,
)

SCHEMA_DRIFT: Final = CheckInfo(
    name="schema_drift",
    asset=EVENT_PROFILES,
    group="sane",
    fails_when=(
        "Fails when an event type, a field, a property or a type of a property's values is new in the newest complete "
        "hour, or is missed in it, against the four weeks before."
    ),
    runs=EVERY_TEN_MINUTES,
)
FIELD_SHARES: Final = CheckInfo(
    name="fields_filled_as_usual",
    asset=EVENT_PROFILES,
    group="sane",
    fails_when=(
        "Fails when a field of an event type is missing, or there, ALERT_SHIFT_RATIO times more or less often than in "
        "the four weeks before, beyond chance."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_SHIFT_RATIO", "ALERT_FALSE_SHARE"),
)
FIELD_VALUES: Final = CheckInfo(
    name="field_values_as_usual",
    asset=EVENT_PROFILES,
    group="sane",
    fails_when=(
        "Fails when a field has three times more or fewer different values than in hours with about as many events."
    ),
    runs=EVERY_TEN_MINUTES,
)
VOLUME: Final = CheckInfo(
    name="volume_by_event_type",
    asset=EVENT_PROFILES,
    group="sane",
    fails_when=(
        "Fails when an event type comes ALERT_SHIFT_RATIO times more or less often than in the same hour of earlier "
        "weeks, beyond chance."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_SHIFT_RATIO", "ALERT_FALSE_SHARE"),
)
BOT_SHARE: Final = CheckInfo(
    name="bot_share",
    asset=EVENT_PROFILES,
    group="sane",
    fails_when=(
        "Fails when ALERT_SHIFT_RATIO times more of the events than in the four weeks before name a bot as their user "
        "agent, beyond chance."
    ),
    runs=EVERY_TEN_MINUTES,
    settings=("ALERT_SHIFT_RATIO", "ALERT_FALSE_SHARE"),
)

CHECKS: Final[tuple[CheckInfo, ...]] = (
    *(OFFSETS, SALES_BY_HOP, DEAD_LETTERS, REPEATS),
    *(KAFKA_FRESH, RAW_FRESH, MARTS_FRESH),
    *(SCHEMA_DRIFT, FIELD_SHARES, FIELD_VALUES, VOLUME, BOT_SHARE),
    *(ITEM_SALES, ITEM_DROPS, CONVERSION, REVENUE, FUNNEL_STEPS),
    *(SAMPLE_RATIO, MIXED_USERS, GUARDRAILS, RESULTS_READY),
)
