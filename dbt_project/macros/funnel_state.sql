{# Which definitions a model holds the whole history of: the newest row of int_funnel_definitions counts. A funnel that
   was removed and comes back has missed what happened meanwhile, so it begins anew. #}
{% macro funnels_held(by) -%}
    {%- set definitions = ref('int_funnel_definitions') -%}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {%- set found = run_query(
        "select arrayJoin(argMax(definitions, defined_at)) as key from " ~ definitions ~ " where model = '" ~ by ~ "'"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{%- endmacro %}

{# The funnels that a model only has to follow, and those whose history it has to compute first. With `upstream`,
   a definition that upstream does not hold yet is neither: it waits until upstream has run. #}
{% macro funnels_to_do(upstream=none) -%}
    {%- set mine = funnels_held(model.name) -%}
    {%- set there = funnels_held(upstream) if upstream else [] -%}
    {%- set followed, fresh = [], [] -%}
    {%- for funnel in funnels() if not upstream or funnel.key in there or not execute -%}
        {%- do (followed if is_incremental() and funnel.key in mine else fresh).append(funnel) -%}
    {%- endfor -%}
    {{ return({'followed': followed, 'fresh': fresh}) }}
{%- endmacro %}

{% macro record_funnels(upstream=none) -%}
    {%- set there = funnels_held(upstream) if upstream else [] -%}
    {%- set keys = [] -%}
    {%- for funnel in funnels() if not upstream or funnel.key in there -%}
        {%- do keys.append(funnel.key) -%}
    {%- endfor -%}
    insert into {{ ref('int_funnel_definitions') }} (model, definitions, defined_at)
    select '{{ model.name }}', {{ sql_texts(keys) }}::Array(String) as held, now64(6, 'UTC')
    where held != (
        select argMax(definitions, defined_at) from {{ ref('int_funnel_definitions') }} where model = '{{ model.name }}'
    )
{%- endmacro %}
