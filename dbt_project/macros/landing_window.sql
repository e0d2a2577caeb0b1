{# The rows a run has to look at: what landed since this model last succeeded.

   `open_windows()` finds the windows of all models of a run before the first of them begins, leaves them in dbt's `graph`,
   which the threads of a run share, and in ops.model_windows; `landed()` renders a model's own as a condition on a relation
   with the landing columns, and when the run ends, those of the models that succeeded become watermarks. The window ends
   at raw's newest row for the first model; those that read others get as far as these will have come, or, of those that
   are not in the run, have come. Offsets are the cursor; `since` only lets ClickHouse skip old parts, and is the same for
   the whole run.
   Recomputing what was computed before is harmless, so a window may be read twice, never skipped. When the rows
   above the watermark landed stands in raw's ledger, to the minute: a stamp says when a worker closed its batch, and
   an insert that was repeated through a long outage becomes visible hours after it.

   Most models need of new events only whose rows to recompute. `keys_landed()` is that, as a relation: user, item and
   time, looked up in raw once a run into ops.landed_keys, which `forget_keys()` empties again.

   The first model takes `run_events` at most, so that a rebuild, or a run after a long pause, needs no more memory
   than any other; the rest is for the next run. `seen_until` then stays, because rows behind it are still to come.

   With `landed_from` and `landed_until` a run looks again at what landed between them, and leaves the watermarks where
   they are: models of events at just that, models of what those made at all that changed since, because a row is
   kept with the newest landing that touched it. Only for models that exist.

   A rewind lands rows below the watermarks. A window begins below them until the rewind had ended before what the
   last run has seen; its margin of seconds is for replicas whose clocks disagree. #}

{% macro landed() -%}
    {%- for upstream in varargs -%}
        {%- do ref(upstream) -%}
    {%- endfor -%}
    {%- if not execute or flags.WHICH not in ['run', 'build'] -%} true
    {%- elif var('landed_from') -%}
        {%- if not is_incremental() -%}
            {{ exceptions.raise_compiler_error(model.name ~ " is not built yet: run dbt without landed_from first") }}
        {%- endif -%}
        ingested_at >= toDateTime64('{{ var('landed_from') }}', 3, 'UTC')
        {%- if varargs | reject('equalto', 'int_events') | list | length == 0 %}
        and ingested_at < toDateTime64('{{ var('landed_until') }}', 3, 'UTC')
        {%- endif -%}
    {%- else -%}
        {%- if not is_incremental() -%}
            {%- do _refuse_to_forget_archived_days() -%}
            {#- A rebuild begins from nothing, also in what it remembers: the highest offset wins there. -#}
            {%- do run_query("delete from ops.model_watermarks where model = '" ~ model.name ~ "'") -%}
        {%- endif -%}
        {%- set opened = graph['opened_windows'][invocation_id] -%}
        {%- set windows = opened.windows | selectattr('model', 'equalto', model.name) | list -%}
        {%- if windows -%} {{- _within(windows, opened.since) }}
        {%- else -%} false
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# What lies in the windows of topics and partitions. #}
{% macro _within(windows, since) -%}
    ingested_at >= toDateTime64('{{ since }}', 3, 'UTC')
    and ({% for topic in windows | map(attribute='kafka_topic') | unique -%}
        {%- set mine = windows | selectattr('kafka_topic', 'equalto', topic) | list -%}
        {{ 'or ' if not loop.first }}(
            kafka_topic = '{{ topic }}'
            and toInt64(kafka_offset) > {{ _by_partition(mine, 'low', 9223372036854775807) }}
            and toInt64(kafka_offset) <= {{ _by_partition(mine, 'high', -1) }}
        )
    {%- endfor %})
{%- endmacro %}

{# The bound of the windows of one topic in a row's partition. #}
{% macro _by_partition(windows, bound, otherwise) -%}
    transform(
        kafka_partition, [{{ windows | map(attribute='kafka_partition') | join(', ') }}],
        [{{ windows | map(attribute=bound) | join(', ') }}]::Array(Int64), toInt64({{ otherwise }})
    )
{%- endmacro %}

{# Days that left raw for the archive are in the marts; a rebuild would not find them again. #}
{% macro _refuse_to_forget_archived_days() -%}
    {%- set away = run_query(
        "select count(distinct day), toString(min(day)), toString(max(day)) from raw.archived_offsets"
        ~ " where state in ('moving', 'dropped') and table_name = 'raw.events'"
    ).rows[0] -%}
    {%- if away[0] | int and not var('forget_archived_days') -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ " would be built without " ~ away[0] ~ " days that are in the archive only (" ~ away[1] ~ " to "
            ~ away[2] ~ "): bring them back with `millrace restore DAY`, or set forget_archived_days"
        ) }}
    {%- endif -%}
{%- endmacro %}

{# The keys of what landed, for `from`; takes the same arguments as `landed()`. #}
{% macro keys_landed() -%}
    (select * from ops.landed_keys where invocation_id = '{{ invocation_id }}' and {{ landed(*varargs) }})
{%- endmacro %}

{# A number that grows with the data a run has seen: of two runs that compute the same row, the one that
   saw more wins, whichever ends first. #}
{% macro run_version() -%}
    assumeNotNull((
        select sum(kafka_offset)
        from ops.model_watermarks final
        where model = 'int_events'
    ))
{%- endmacro %}

{# For the first model, of whose watermark the others' `run_version()` is made. #}
{% macro record_watermark() -%}
    {{ _record_watermarks([this.identifier]) }}
{%- endmacro %}

{# For on-run-end: the others, of those that succeeded. What dies before computes its windows again. #}
{% macro record_watermarks() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] and not var('landed_from') -%}
        {%- set done = results | selectattr('status', 'equalto', 'success') | map(attribute='node.name') -%}
        {%- set others = done | reject('equalto', 'int_events') | list -%}
        {{ _record_watermarks(others) if others }}
    {%- endif -%}
{%- endmacro %}

{% macro _record_watermarks(models) -%}
    insert into ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset, since)
    select model, kafka_topic, kafka_partition, toUInt64(max(high)), min(seen_until)
    from ops.model_windows
    where model in {{ sql_texts(models) }} and invocation_id = '{{ invocation_id }}'
    group by model, kafka_topic, kafka_partition
    having max(high) >= 0
{%- endmacro %}

{# For on-run-start: opens the windows of the run's models; the statement that looks up the keys in them. #}
{% macro open_windows() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
        {%- if var('landed_from') -%}
            {{ _look_up_keys("ingested_at >= toDateTime64('" ~ var('landed_from') ~ "', 3, 'UTC')") }}
        {%- else -%}
            {{ _open_windows() }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro _open_windows() -%}
    {%- set reads = _models_by_landing() -%}
    {%- set chosen = [] -%}
    {%- for id in selected_resources if id.split('.')[-1] in reads -%}
        {%- do chosen.append(id.split('.')[-1]) -%}
    {%- endfor -%}
    {%- set pairs = [] -%}
    {%- for model in chosen -%}
        {%- for source in _sources(model, reads, chosen) -%} {%- do pairs.append((model, source)) -%} {%- endfor -%}
    {%- endfor -%}
    {%- set windows = run_query(
        "select model, kafka_topic, kafka_partition, low, high, toString(seen_until) as seen_until"
        ~ " from (" ~ _windows(pairs) ~ ")"
    ).rows if pairs else [] -%}
    {%- set opened = {'windows': windows} -%}
    {%- do graph.update(opened_windows={invocation_id: opened}) -%}
    {%- if windows -%}
        {%- set widest = [] -%}
        {%- for partition in windows | groupby('kafka_partition') -%}
            {%- for topic in partition.list | groupby('kafka_topic') -%}
                {%- do widest.append(dict(
                    kafka_topic=topic.grouper, kafka_partition=partition.grouper,
                    low=topic.list | map(attribute='low') | min, high=topic.list | map(attribute='high') | max
                )) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- set since = run_query(_since(widest)).rows[0][0] -%}
        {%- do opened.update(since=since) -%}
        {%- do run_query(_write_windows(windows, since)) -%}
        {{ _look_up_keys(_within(widest, since)) }}
    {%- endif -%}
{%- endmacro %}

{% macro _write_windows(windows, since) -%}
    insert into ops.model_windows
        (invocation_id, model, kafka_topic, kafka_partition, low, high, seen_until, since)
    values {% for window in windows -%}
        {{ ', ' if not loop.first }}('{{ invocation_id }}', '{{ window.model }}', '{{ window.kafka_topic }}', {{ window.kafka_partition }},
        {{- window.low }}, {{ window.high }}, '{{ window.seen_until }}', '{{ since }}')
    {%- endfor -%}
{%- endmacro %}

{% macro _look_up_keys(condition) -%}
    insert into ops.landed_keys
        (invocation_id, kafka_topic, kafka_partition, kafka_offset, ingested_at, event_time, user_id, item_id)
    select
        '{{ invocation_id }}', kafka_topic, kafka_partition, kafka_offset, ingested_at, event_time, user_id, item_id
    from {{ source('raw', 'events') }}
    where {{ condition }}
{%- endmacro %}

{# For on-run-end: the run's keys are of use to nobody else. #}
{% macro forget_keys() -%}
    {%- if execute and flags.WHICH in ['run', 'build'] -%}
        alter table ops.landed_keys drop partition '{{ invocation_id }}'
    {%- endif -%}
{%- endmacro %}

{# The models that read by landing, with `landed()` or `keys_landed()`, each with those among them that it reads. #}
{% macro _models_by_landing() -%}
    {%- set models, reads = {}, {} -%}
    {%- for id, node in graph.nodes.items() if node.resource_type == 'model' and 'landed(' in node.raw_code -%}
        {%- do models.update({id: node.name}) -%}
    {%- endfor -%}
    {%- for id, name in models.items() -%}
        {%- set upstreams = [] -%}
        {%- for upstream in graph.nodes[id].depends_on.nodes if upstream in models -%}
            {%- do upstreams.append(models[upstream]) -%}
        {%- endfor -%}
        {%- do reads.update({name: upstreams}) -%}
    {%- endfor -%}
    {{ return(reads) }}
{%- endmacro %}

{# Whose watermarks say how far a model can come in a run of `chosen`; empty is raw itself. #}
{% macro _sources(model, reads, chosen) -%}
    {%- set found = [] -%}
    {%- for upstream in reads[model] -%}
        {%- for source in (_sources(upstream, reads, chosen) if upstream in chosen else [upstream]) if source not in found -%}
            {%- do found.append(source) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found or ['']) }}
{%- endmacro %}

{# Of each model and partition: above which offset, up to which, and what will then have been seen. #}
{% macro _windows(pairs) -%}
    with rewound.run != '' and rewound.ended_at + interval 10 second >= reach.seen_before as is_pending
    select
        reach.model, reach.kafka_topic, reach.kafka_partition,
        least(any(reach.low), min(if(is_pending, toInt64(rewound.first_offset) - 1, reach.low))) as low,
        any(reach.high) as high,
        any(reach.seen_until) as seen_until
    from (
        select
            plan.model as model, source.kafka_topic as kafka_topic, source.kafka_partition as kafka_partition,
            any({{ _own_low('mine') }}) as low,
            min(source.high) as high,
            min(source.seen_until) as seen_until,
            any(mine.since) as seen_before
        from (select arrayJoin({{ pairs }}::Array(Tuple(model String, source String))) as pair, pair.1 as model, pair.2 as name)
            as plan
        inner join ({{ _reached(pairs) }}) as source on plan.name = source.name
        left join (select * from ops.model_watermarks final) as mine
            on plan.model = mine.model and source.kafka_topic = mine.kafka_topic
                and source.kafka_partition = mine.kafka_partition
        group by model, kafka_topic, kafka_partition
        having count() = countEqual({{ pairs | map(attribute=0) | list }}, model)
    ) as reach
    left join ({{ _rewinds() }}) as rewound
        on reach.kafka_topic = rewound.kafka_topic and reach.kafka_partition = rewound.kafka_partition
    group by all
{%- endmacro %}

{# The model's own watermark; a table that is not there or is made anew begins before the first offset. #}
{% macro _own_low(mine) -%}
    {%- if flags.FULL_REFRESH -%} toInt64(-1)
    {%- else -%}
    if(
        {{ mine }}.model != '' and {{ mine }}.model in (
            select name from system.tables where database = '{{ (graph.nodes.values() | selectattr('name', 'equalto', 'int_events') | first).schema }}'
                and engine like '%MergeTree'
        ),
        toInt64({{ mine }}.kafka_offset), -1
    )
    {%- endif -%}
{%- endmacro %}

{# How far each source has come: raw, of which the first model takes so many rows at most, and watermarks. #}
{% macro _reached(pairs) -%}
    {%- set from_raw = '' in pairs | map(attribute=1) -%}
    {%- set names = pairs | map(attribute=1) | reject('equalto', '') | unique | list -%}
    {%- if from_raw %}
    select
        '' as name, newest.kafka_topic as kafka_topic, newest.kafka_partition as kafka_partition,
        least(
            toInt64(newest.kafka_offset),
            greatest(if(first.kafka_topic = '', -1, first.low), newest.lowest - 1) + newest.share
        ) as high,
        if(high < toInt64(newest.kafka_offset), first.since, now64(3, 'UTC')) as seen_until
    from (
        select *, greatest(1, intDiv({{ var('run_events') }}, count() over ())) as share
        from (
            select
                kafka_topic, kafka_partition,
                max(days.newest) as kafka_offset,
                toInt64(min(days.oldest)) as lowest
            from ({{ _landed_by('toDate') }}) as days
            group by kafka_topic, kafka_partition
        )
    ) as newest
    left join (
        select kafka_topic, kafka_partition, since, {{ _own_low('mark') }} as low
        from ops.model_watermarks as mark final
        where model = 'int_events'
    ) as first
        on newest.kafka_topic = first.kafka_topic and newest.kafka_partition = first.kafka_partition
    {%- endif %}
    {{ 'union all' if from_raw and names }}
    {%- if names %}
    select model as name, kafka_topic, kafka_partition, toInt64(kafka_offset) as high, since as seen_until
    from ops.model_watermarks final
    where model in {{ sql_texts(names) }}
    {%- endif %}
{%- endmacro %}

{# The stretches of each rewind; one that has not ended, or died, is always still to come. #}
{% macro _rewinds() -%}
    select
        kafka_topic, kafka_partition, run,
        min(first_offset) as first_offset,
        min(at) as began_at,
        if(max(is_done), maxIf(at, is_done), toDateTime64('2200-01-01', 3, 'UTC')) as ended_at
    from raw.rewinds
    group by kafka_topic, kafka_partition, run
{%- endmacro %}

{# The first minute in which something above the watermarks landed, from raw's ledgers: first the day, in a row for
   each partition and day of the history, then the minute, from that day on. #}
{% macro _since(windows) -%}
    with ({{ _first('toDate', windows) }}) as first_day
    -- None is above them: nothing is new.
    select if(first_day = toDate(0), '2100-01-01 00:00:00', toString((
        {{- _first('toStartOfMinute', windows, "where toStartOfMinute(ingested_at) >= toDateTime(first_day, 'UTC')") }})))
{%- endmacro %}

{% macro _first(unit, windows, condition='') -%}
    select min(landed_in)
    from ({{ _landed_by(unit, condition) }})
    where {% for topic in windows | map(attribute='kafka_topic') | unique -%}
        {%- set mine = windows | selectattr('kafka_topic', 'equalto', topic) | list -%}
        {{ 'or ' if not loop.first }}(
            kafka_topic = '{{ topic }}'
            and toInt64(newest) > {{ _by_partition(mine, 'low', 9223372036854775807) }}
        )
    {%- endfor %}
{%- endmacro %}

{# As the projections `by_day` and `by_minute` of raw.events hold it; only the days know their oldest offset. #}
{% macro _landed_by(unit, condition='') -%}
    select
        {{ unit }}(ingested_at) as landed_in, kafka_topic, kafka_partition,
        {{ 'min(events.kafka_offset) as oldest,' if unit == 'toDate' }}
        max(events.kafka_offset) as newest
    from {{ source('raw', 'events') }} as events
    {{ condition }}
    group by landed_in, kafka_topic, kafka_partition
{%- endmacro %}
