{# A model's table is the same on every server of a cluster: raw is what shards divide. dbt makes a table under another
   name and exchanges the two, so the path in Keeper is the table's own id. #}
{% macro engine_clause() -%}
    {%- set engine = config.get('engine', default='MergeTree()') -%}
    {%- if adapter.get_clickhouse_cluster_name() is not none and 'MergeTree' in engine -%}
        {%- set kind, arguments = engine.rstrip(')').split('(') -%}
        {%- set place = "'/clickhouse/tables/common/{uuid}', '{shard}_{replica}'" -%}
        engine = Replicated{{ kind }}({{ [place, arguments] | select | join(', ') }})
    {%- else -%}
        engine = {{ engine }}
    {%- endif -%}
{%- endmacro %}
