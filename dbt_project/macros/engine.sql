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

{# For tables that whole histories are read from: what nothing is written to any more becomes one part, of which FINAL has
   nothing to merge, a third of a question's time. After six hours, so that late events do not merge a month each time. #}
{% macro closed_partitions_in_one_part() -%}
    {{ return({'min_age_to_force_merge_seconds': 21600, 'min_age_to_force_merge_on_partition_only': 1}) }}
{%- endmacro %}
