"""Every check of our own, and which job runs it."""

from typing import Final

from orchestration.checks.dead_letters import dead_letter_share
from orchestration.checks.experiments import (
    experiment_guardrails,
    experiment_mixed_users,
    experiment_results_ready,
    experiment_sample_ratio,
)
from orchestration.checks.freshness import kafka_is_fresh, marts_are_fresh, raw_is_fresh
from orchestration.checks.item_drops import item_sales_drops
from orchestration.checks.item_sales import item_sales_within_expected
from orchestration.checks.offsets import offsets_all_landed
from orchestration.checks.profile_shifts import (
    bot_share,
    field_values_as_usual,
    fields_filled_as_usual,
    volume_by_event_type,
)
from orchestration.checks.repeats import repeated_events
from orchestration.checks.sales_by_hop import marts_hold_what_landed
from orchestration.checks.schema_drift import schema_drift
from orchestration.checks.shop import (
    conversion_within_expected,
    funnel_steps_within_expected,
    revenue_within_expected,
)

# A step more costs a run of the marts some 50 ms, whatever it does: only what has to be told within seconds.
MARTS_CHECKS: Final = (item_sales_within_expected,)
EVERY_MINUTE_CHECKS: Final = (
    *(offsets_all_landed, marts_hold_what_landed, dead_letter_share, repeated_events),
    *(kafka_is_fresh, raw_is_fresh, marts_are_fresh),
)
# They judge complete hours and days: nothing new comes sooner.
SHOP_CHECKS: Final = (
    *(item_sales_drops, conversion_within_expected, revenue_within_expected, funnel_steps_within_expected),
    *(schema_drift, fields_filled_as_usual, field_values_as_usual, volume_by_event_type, bot_share),
)
EXPERIMENT_CHECKS: Final = (
    *(experiment_sample_ratio, experiment_mixed_users, experiment_guardrails, experiment_results_ready),
)
OUR_CHECKS: Final = (*MARTS_CHECKS, *EVERY_MINUTE_CHECKS, *SHOP_CHECKS, *EXPERIMENT_CHECKS)
