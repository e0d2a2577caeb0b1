{# In the place of dbt-clickhouse's, which also looks for the materialized views that fill each table, a join over all
   tables of the server: no model here is filled by one, and a run asks seven times. #}
{% macro clickhouse__list_relations_without_caching(schema_relation) -%}
    {%- set cluster = adapter.get_clickhouse_cluster_name() -%}
    {%- set tables = 'clusterAllReplicas(' ~ cluster ~ ', system.tables)' if cluster else 'system.tables' -%}
    {%- set schema = sql_text(schema_relation.schema) -%}
    {%- call statement('list_relations_without_caching', fetch_result=True) -%}
        select
            name,
            {{ schema }} as schema,
            multiIf(
                engine = 'MaterializedView', 'materialized_view', engine = 'View', 'view', engine = 'Dictionary', 'dictionary',
                'table'
            ) as type,
            (select engine from system.databases where name = {{ schema }}) as db_engine,
            '[]' as mvs_pointing_to_it,
            0 as is_refreshable,
            0 as refreshable_append,
            {{ 'uniqExact(_shard_num) > 1' if cluster else 0 }} as is_on_cluster
        from {{ tables }}
        where database = {{ schema }}
        group by name, type
    {%- endcall -%}
    {{ return(load_result('list_relations_without_caching').table) }}
{%- endmacro %}
