{# Of fct_experiment and fct_experiment_daily: the exposed users, once for each variation they were shown. One seen in two
   variations, or with a session like a bot's, is counted apart and belongs to neither. #}
{% macro exposed_by_variation() -%}
    *,
    arrayJoin(variations) as experiment_variation,
    length(variations) > 1 as is_mixed,
    not is_mixed and not is_bot as is_counted,
    toDecimal256(revenue, 6) as bought,
    toDecimal256(pre_revenue, 6) as bought_before
{%- endmacro %}

{# The sums over these users that tests need. #}
{% macro experiment_sums() -%}
    countIf(is_counted) as exposed_users,
    countIf(is_counted and outcomes.conversions > 0) as converted_users,
    sumIf(outcomes.conversions, is_counted) as conversions,
    cast(sumIf(bought, is_counted) as Decimal(76, 6)) as revenue,
    cast(sumIf(bought * bought, is_counted) as Decimal(76, 12)) as revenue_sum_squares,
    sumIf(outcomes.events, is_counted) as events,
    sumIf(outcomes.events * outcomes.events, is_counted) as events_sum_squares,
    countIf(is_counted and outcomes.pre_events > 0) as users_with_history,
    sumIf(outcomes.pre_purchases, is_counted) as pre_purchases,
    sumIf(outcomes.pre_purchases * outcomes.pre_purchases, is_counted) as pre_purchases_sum_squares,
    sumIf(outcomes.pre_purchases, is_counted and outcomes.conversions > 0) as converted_pre_purchases,
    cast(sumIf(bought_before, is_counted) as Decimal(76, 6)) as pre_revenue,
    cast(sumIf(bought_before * bought_before, is_counted) as Decimal(76, 12)) as pre_revenue_sum_squares,
    cast(sumIf(bought * bought_before, is_counted) as Decimal(76, 12)) as revenue_pre_revenue,
    sumIf(outcomes.pre_events, is_counted) as pre_events,
    sumIf(outcomes.pre_events * outcomes.pre_events, is_counted) as pre_events_sum_squares,
    sumIf(outcomes.events * outcomes.pre_events, is_counted) as events_pre_events,
    countIf(is_mixed) as mixed_users,
    countIf(is_bot and not is_mixed) as bot_users
{%- endmacro %}
