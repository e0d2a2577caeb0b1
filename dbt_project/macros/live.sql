{# The minutes that the live models show: the hours that the live tables keep, and nothing before its time. #}
{% macro live_window(minute) -%}
    {{ minute }} > now('UTC') - interval 6 hour and {{ minute }} <= now('UTC')
{%- endmacro %}

{# Tell the live tables again what landed in the last `hours`, ten minutes at a time: they hold sets, so what they
   had stays as it is and what they missed is there again. For a new installation, a table that was dropped, or
   when the test live_equals_events fails: `dbt run-operation mend_live`. Each view's own statement is used, so
   there is one definition of what live holds. #}
{% macro mend_live(hours=6) -%}
    {%- set views = run_query(
        "select name, replaceOne(name, 'fill_', '') as target, as_select from system.tables "
        ~ "where database = 'live' and engine = 'MaterializedView' and startsWith(name, 'fill_')"
    ).rows -%}
    {%- if views | length == 0 -%}
        {%- do exceptions.raise_compiler_error("there are no views in `live`: run millrace migrate") -%}
    {%- endif -%}
    {%- set now = run_query("select toUnixTimestamp(now())").rows[0][0] | int -%}
    {%- for start in range(now - (hours * 3600) | int, now + 60, 600) -%}
        {%- for view in views -%}
            {#- Bounds of the column's own type: with a DateTime the minmax index leaves out the second before it. -#}
            {%- set landed = "(select * from raw.events where ingested_at >= toDateTime64(" ~ start
                ~ ", 3) and ingested_at < toDateTime64(" ~ (start + 600) ~ ", 3))" -%}
            {%- do run_query(
                "insert into live." ~ view['target'] ~ " "
                ~ view['as_select'] | replace('FROM raw.events', 'FROM ' ~ landed) ~ ' settings insert_deduplicate = 0'
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do log("live: told again what landed in the last " ~ hours ~ " hours", info=true) -%}
{%- endmacro %}
