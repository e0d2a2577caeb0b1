{# The minutes that the live models show: the hours that the live tables keep, and nothing before its time. #}
{% macro live_window(minute) -%}
    {{ minute }} > now('UTC') - interval 6 hour and {{ minute }} <= now('UTC')
{%- endmacro %}

{# Tell the live tables again what landed in the last `hours`, ten minutes at a time: they hold sets, so what they
   had stays as it is and what they missed is there again. For a new installation, a table that was dropped, or
   when the test live_equals_events fails: `dbt run-operation mend_live`. Each view's own statement is used, so
   there is one definition of what live holds. On a cluster it mends the shard it is run on: once for each shard. #}
{% macro mend_live(hours=6) -%}
    {%- set views = run_query(
        "select extract(create_table_query, ' TO ([a-z_.]+)') as target, extract(as_select, 'FROM ([a-z_.]+)') as raw, "
        ~ "as_select from system.tables "
        ~ "where database = 'live' and engine = 'MaterializedView' and startsWith(name, 'fill_')"
    ).rows -%}
    {%- if views | length == 0 -%}
        {%- do exceptions.raise_compiler_error("there are no views in `live`: run millrace migrate") -%}
    {%- endif -%}
    {%- set now = run_query("select toUnixTimestamp(now())").rows[0][0] | int -%}
    {%- for start in range(now - (hours * 3600) | int, now + 60, 600) -%}
        {%- for view in views -%}
            {#- Bounds of the column's own type: with a DateTime the minmax index leaves out the second before it. -#}
            {%- set landed = "(select * from " ~ view['raw'] ~ " where ingested_at >= toDateTime64(" ~ start
                ~ ", 3) and ingested_at < toDateTime64(" ~ (start + 600) ~ ", 3))" -%}
            {%- do run_query(
                "insert into " ~ view['target'] ~ " "
                ~ view['as_select'] | replace('FROM ' ~ view['raw'], 'FROM ' ~ landed) ~ ' settings insert_deduplicate = 0'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do log("live: told again what landed in the last " ~ hours ~ " hours", info=true) -%}
{%- endmacro %}

{# Whether a table of `live` lies on several shards. FINAL sees one shard at a time, so there a row's parts on other
   shards are put together by grouping, which takes up to three times as long. #}
{% macro is_sharded() -%}
    {{ return(env_var('CLICKHOUSE_CLUSTER', '') != '') }}
{%- endmacro %}

{# The rows of a live table of sets, each with its number of events. Lengths are enough for a minute that lies in one
   part, and are read without the lists; only the newest minutes and those that late events reached lie in several. All
   readings of a query see the same parts (`enable_shared_storage_snapshot_in_query`, on unless a profile turns it off),
   so no minute is counted by both halves. #}
{% macro live_counts(table, key) -%}
    {%- set columns = 'minute, device_type, ' ~ key -%}
    {%- if is_sharded() -%}
    select {{ columns }}, sum(length(event_hashes)) as events
    from {{ source('live', table) }} {{ final() }}
    group by {{ columns }}
    {%- else -%}
    {%- set in_several_parts -%}
    (select minute from {{ source('live', table) }} group by minute having min(_part_index) != max(_part_index))
    {%- endset -%}
    select {{ columns }}, event_hashes.size0 as events
    from {{ source('live', table) }}
    where minute not in {{ in_several_parts }}

    union all

    select {{ columns }}, length(event_hashes) as events
    from {{ source('live', table) }} {{ final() }}
    where minute in {{ in_several_parts }}
    {%- endif -%}
{%- endmacro %}

{# Each purchase once. #}
{% macro live_sales() -%}
    {%- if is_sharded() -%}
    select
        minute,
        user_id,
        event_time,
        event_id,
        any(sold.device_type) as device_type,
        any(sold.session_hash) as session_hash,
        any(sold.item_id) as item_id,
        any(sold.units) as units,
        any(sold.revenue) as revenue
    from {{ source('live', 'purchases') }} as sold
    group by minute, user_id, event_time, event_id
    {%- else -%}
    select * from {{ source('live', 'purchases') }} {{ final() }}
    {%- endif -%}
{%- endmacro %}
