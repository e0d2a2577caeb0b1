-- Funnel x user x day of entry: the best attempt that begins on the day. Recomputed for the days from which a new
-- event can be reached, and for the whole history of a new definition; the row of the run that saw most wins.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    partition_by='toYYYYMM(entry_date)',
    order_by='(funnel_key, entry_date, user_id)',
    settings=closed_partitions_in_one_part(),
    query_settings={'max_partitions_per_insert_block': 0},
    post_hook="{{ record_funnels('int_funnel_steps') }}"
) }}

{% set window = landed('int_funnel_steps') %}
{% set to_do = funnels_to_do('int_funnel_steps') %}
{% set chosen = to_do.followed + to_do.fresh %}
{% set minutes = 'toIntervalMinute(' ~ funnel_value('window_minutes', 'UInt32') ~ ')' %}
{% set is_entry = 'bitAnd(steps, if(' ~ funnel_value('ordered', 'Bool') ~ ', 1, 255)) != 0' %}

with touched as (

    select distinct
        (arrayJoin({{ funnel_matches(to_do.followed) }}) as matched).key as funnel_key,
        user_id,
        toDate(event_time) - arrayJoin(
            range(toUInt32(dateDiff('day', event_time - {{ minutes }}, event_time)) + 1)
        ) as entry_date
    from {{ ref('stg_events') }}
    where {{ window }}

),

people as (

    select
        funnel_key,
        user_id,
        groupArray((toUnixTimestamp64Micro(event_time), steps)) as events,
        groupArrayIf(
            (toUnixTimestamp64Micro(event_time), (toString(device_type), toString(breakdown_value), is_bot_agent)),
            {{ is_entry }}
        ) as entries
    from {{ ref('int_funnel_steps') }} {{ final() }}
    where funnel_key in {{ funnel_keys(to_do.fresh) }}
    {% if to_do.followed %}
        or (
            (funnel_key, event_date) in (
                select funnel_key, arrayJoin(arrayMap(
                    day -> entry_date + day, range(intDiv({{ funnel_value('window_minutes', 'UInt32') }} + 1439, 1440) + 1)
                ))
                from touched
            )
            and (funnel_key, user_id) in (select funnel_key, user_id from touched)
        )
    {% endif %}
    group by funnel_key, user_id

),

-- The days to recompute: those of the touched ones on which the user entered.
days as (

    select
        *,
        arrayJoin(arrayDistinct(arrayMap(
            entry -> toDate(fromUnixTimestamp64Micro(entry.1, 'UTC')), entries
        ))) as entry_date
    from people
    where funnel_key in {{ funnel_keys(to_do.fresh) }}
        or (funnel_key, entry_date, user_id) in (select funnel_key, entry_date, user_id from touched)

),

-- An event counts for each of these days that its window can begin on.
histories as (

    select
        funnel_key,
        user_id,
        entry_date,
        toUInt8({{ funnel_value('size', 'UInt8') }}) as size,
        toInt64({{ funnel_value('window_minutes', 'UInt32') }}) * 60000000 as span,
        toUnixTimestamp64Micro(toDateTime64(entry_date, 6, 'UTC')) as opens,
        toUnixTimestamp64Micro(toDateTime64(entry_date + 1, 6, 'UTC')) as closes,
        arraySort(arrayFilter(event -> event.1 >= opens and event.1 - span < closes, events)) as history,
        arraySort(arrayFilter(entry -> entry.1 >= opens and entry.1 < closes, entries)) as entered
    from days

),

attempts as (

    {% for ordered, ones in chosen | groupby('ordered') %}
    {{ 'union all' if not loop.first }}
    with {{ funnel_fold_ordered() if ordered else funnel_fold_unordered() }}
    select funnel_key, user_id, entry_date, entered, times
    from histories
    where funnel_key in {{ funnel_keys(ones) }}
    {% else %}
    -- Upstream has not run yet.
    select funnel_key, user_id, entry_date, entered, []::Array(Int64) as times from histories where false
    {% endfor %}

)

select
    toLowCardinality(funnel_key) as funnel_key,
    user_id,
    entry_date,
    (arrayFirst(entry -> entry.1 = times[1], entered).2 as circumstances).1::LowCardinality(String) as device_type,
    circumstances.2::LowCardinality(String) as breakdown_value,
    circumstances.3 as is_bot,
    toUInt8(length(times)) as furthest_step,
    arrayMap(at -> fromUnixTimestamp64Micro(at, 'UTC'), times) as step_times,
    {{ run_version() }} as version
from attempts
