{# The rows a run has to look at: what landed since this model last succeeded.

   `landed()` writes this run's window to ops.model_windows and renders it as a condition on a relation
   with the landing columns. The window ends at raw's newest row for the first model, and where int_events
   has come to for those that read it. Offsets are the cursor; `since` only lets ClickHouse skip old parts.
   Recomputing what was computed before is harmless, so a window may be read twice, never skipped. #}

{% macro landed(upstream=none) -%}
    {%- if upstream -%}
        {%- do ref(upstream) -%}
    {%- endif -%}
    {%- if not execute -%} true
    {%- else -%}
        {%- do run_query(_open_window(upstream)) -%}
        {%- set windows = run_query(_read_window()).rows -%}
        {%- if windows | length == 0 -%} false
        {%- else -%}
        ingested_at >= toDateTime64('{{ windows | map(attribute='since') | min }}', 3, 'UTC')
        and ({% for topic in windows | map(attribute='kafka_topic') | unique -%}
            {%- set mine = windows | selectattr('kafka_topic', 'equalto', topic) | list -%}
            {%- set partitions = mine | map(attribute='kafka_partition') | join(', ') -%}
            {{ 'or ' if not loop.first }}(
                kafka_topic = '{{ topic }}'
                and toInt64(kafka_offset) > transform(kafka_partition, [{{ partitions }}],
                    [{{ mine | map(attribute='low') | join(', ') }}]::Array(Int64), 9223372036854775807)
                and toInt64(kafka_offset) <= transform(kafka_partition, [{{ partitions }}],
                    [{{ mine | map(attribute='high') | join(', ') }}]::Array(Int64), -1)
            )
        {%- endfor %})
        {%- endif -%}
    {%- endif -%}
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

{% macro record_watermark() -%}
    insert into ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset, since)
    select model, kafka_topic, kafka_partition, toUInt64(max(high)), max(opened_at)
    from ops.model_windows
    where model = '{{ this.identifier }}' and invocation_id = '{{ invocation_id }}'
    group by model, kafka_topic, kafka_partition
    having max(high) >= 0
{%- endmacro %}

{% macro _open_window(upstream) -%}
    insert into ops.model_windows (invocation_id, model, kafka_topic, kafka_partition, low, high, since)
    select
        '{{ invocation_id }}', '{{ model.name }}', newest.kafka_topic, newest.kafka_partition,
        if({{ 1 if is_incremental() else 0 }} and mine.model != '', toInt64(mine.kafka_offset), -1),
        toInt64(newest.kafka_offset),
        -- An hour covers clocks that disagree and inserts that took long to become visible.
        if(
            {{ 1 if is_incremental() else 0 }} and mine.model != '',
            mine.since - interval 1 hour,
            toDateTime64('1970-01-01', 3, 'UTC')
        )
    from (
        {% if upstream -%}
        select kafka_topic, kafka_partition, kafka_offset from ops.model_watermarks final
        where model = '{{ upstream }}'
        {%- else -%}
        select kafka_topic, kafka_partition, max(kafka_offset) as kafka_offset
        from {{ source('raw', 'events') }} group by kafka_topic, kafka_partition
        {%- endif %}
    ) as newest
    left join (select * from ops.model_watermarks final where model = '{{ model.name }}') as mine
        on newest.kafka_topic = mine.kafka_topic and newest.kafka_partition = mine.kafka_partition
{%- endmacro %}

{% macro _read_window() -%}
    select kafka_topic, kafka_partition, max(low) as low, max(high) as high, min(toString(since)) as since
    from ops.model_windows
    where model = '{{ model.name }}' and invocation_id = '{{ invocation_id }}'
    group by kafka_topic, kafka_partition
{%- endmacro %}
