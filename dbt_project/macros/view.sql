{# A view is made again when its text, or any model of the project, has changed. The stock materialization makes all
   of them in every run and asks the server for the columns of each: a third of the time of a run at the streaming
   cadence. The fingerprint of what a view was made from is its comment. #}
{% materialization view, adapter='clickhouse' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set fingerprint = view_fingerprint(sql) -%}
    {%- if existing is not none and existing.is_view and not should_full_refresh()
        and view_comment(this) == fingerprint -%}
        {%- call noop_statement('main', 'UNCHANGED') -%} {{ sql }} {%- endcall -%}
        {{ return({'relations': [existing]}) }}
    {%- endif -%}
    {%- set made = dbt.materialization_view_clickhouse() -%}
    {%- do run_query(
        'alter table ' ~ this.include(database=False) ~ ' ' ~ on_cluster_clause(this)
        ~ " modify comment '" ~ fingerprint ~ "'"
    ) -%}
    {{ return(made) }}
{%- endmaterialization %}

{% macro view_fingerprint(sql) -%}
    {%- set parts = [sql] -%}
    {%- for id, node in graph.nodes | dictsort if node.resource_type == 'model' -%}
        {%- do parts.append(id ~ node.checksum.checksum ~ node.contract.checksum) -%}
    {%- endfor -%}
    {{ return('made from ' ~ local_md5(parts | join('\n'))) }}
{%- endmacro %}

{% macro view_comment(relation) -%}
    {%- set found = run_query(
        "select comment from system.tables where database = '" ~ relation.schema ~ "' and name = '" ~ relation.identifier ~ "'"
    ) -%}
    {{ return(found.rows[0][0] if found.rows else '') }}
{%- endmacro %}
