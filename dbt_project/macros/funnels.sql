{# The funnels of `funnels` in dbt_project.yml, checked and complete. Parsing calls it, so a contradiction stops dbt
   before anything runs. `key` names a definition: another window or condition is another key, whose history is
   computed anew; the names of the steps are labels and change nothing. #}
{% macro funnels() -%}
    {%- set defined = var('funnels') -%}
    {%- if defined is not sequence or defined is string or defined | length == 0 -%}
        {{ _refuse('define at least one funnel, as a list') }}
    {%- endif -%}
    {%- set made = [] -%}
    {%- for given in defined -%}
        {%- do _check_funnel(given, made | map(attribute='name') | list) -%}
        {%- set conditions = [] -%}
        {%- for step in given.steps -%}
            {%- do conditions.append([step.event_type or '', step.page or '', step.item_category or '', step.element_id or '']) -%}
        {%- endfor -%}
        {%- set rules = {
            'name': given.name,
            'conditions': conditions,
            'window_minutes': given.window_minutes,
            'ordered': given.get('ordered', true),
            'breakdown': given.breakdown or '',
        } -%}
        {#- The number is that of the fold's rules: raise it when they change, and every funnel is computed anew. -#}
        {%- do made.append(dict(rules,
            key=given.name ~ ':' ~ local_md5('1 ' ~ tojson(rules, sort_keys=true))[:12],
            step_names=given.steps | map(attribute='name') | list,
            size=conditions | length,
        )) -%}
    {%- endfor -%}
    {{ return(made) }}
{%- endmacro %}

{% macro _check_funnel(funnel, names) -%}
    {%- set fields = ['name', 'steps', 'window_minutes', 'ordered', 'breakdown'] -%}
    {%- set breakdowns = ['country', 'item_category', 'item_id', 'page', 'element_id', 'experiment_name', 'experiment_variation'] -%}
    {%- do _check_named(funnel, fields, 'a funnel', names) -%}
    {%- set called = 'funnel ' ~ funnel.name ~ ': ' -%}
    {%- if funnel.window_minutes is not integer or not 1 <= funnel.window_minutes <= 525600 -%}
        {{ _refuse(called ~ 'window_minutes must be a whole number from 1 to 525600 (a year)') }}
    {%- elif funnel.get('ordered', true) is not boolean -%}
        {{ _refuse(called ~ 'ordered must be true or false') }}
    {%- elif funnel.breakdown and funnel.breakdown not in breakdowns -%}
        {{ _refuse(called ~ 'breakdown must be empty or one of ' ~ breakdowns | join(', ')) }}
    {%- elif funnel.steps is not sequence or funnel.steps is string or funnel.steps is mapping or not 2 <= funnel.steps | length <= 8 -%}
        {{ _refuse(called ~ 'steps must be a list of 2 to 8 steps') }}
    {%- endif -%}
    {%- set seen = [] -%}
    {%- for step in funnel.steps -%}
        {%- do _check_step(step, called, seen) -%}
        {%- do seen.append(step.name) -%}
    {%- endfor -%}
{%- endmacro %}

{% macro _check_step(step, called, seen) -%}
    {%- set conditions = ['event_type', 'page', 'item_category', 'element_id'] -%}
    {%- do _check_named(step, ['name'] + conditions, called ~ 'a step', seen) -%}
    {%- set given = [] -%}
    {%- for condition in conditions if step[condition] is defined and step[condition] is not none -%}
        {%- if step[condition] is not string -%}
            {{ _refuse(called ~ 'step ' ~ step.name ~ ': ' ~ condition ~ ' must be text; put it in quotes') }}
        {%- elif step[condition] -%}
            {%- do given.append(condition) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not given -%}
        {{ _refuse(called ~ 'step ' ~ step.name ~ ' would match every event; give it one of ' ~ conditions | join(', ')) }}
    {%- elif '*' in (step.page or '')[:-1] -%}
        {{ _refuse(called ~ 'step ' ~ step.name ~ ': page may have a * at its end only') }}
    {%- endif -%}
{%- endmacro %}

{% macro _check_named(thing, fields, what, names) -%}
    {%- if thing is not mapping -%}
        {{ _refuse(what ~ ' must have the fields ' ~ fields | join(', ') ~ ', not be ' ~ thing) }}
    {%- endif -%}
    {%- for field in thing if field not in fields -%}
        {{ _refuse(what ~ ' has no field ' ~ field ~ '; it may have ' ~ fields | join(', ')) }}
    {%- endfor -%}
    {%- if thing.name is not string or not modules.re.fullmatch('[a-z][a-z0-9_]{0,62}', thing.name) -%}
        {{ _refuse(what ~ ' needs a name of small letters, digits and _, at most 63, not ' ~ thing.name) }}
    {%- elif thing.name in names -%}
        {{ _refuse(what ~ ' has the name of another one: ' ~ thing.name) }}
    {%- endif -%}
{%- endmacro %}

{% macro _refuse(problem) -%}
    {{ exceptions.raise_compiler_error('funnels in dbt_project.yml: ' ~ problem) }}
{%- endmacro %}

{# The steps that an event matches in one funnel, as bits: bit 0 is the first step. #}
{% macro funnel_steps_of(funnel) -%}
    toUInt8(
    {%- for event_type, page, item_category, element_id in funnel.conditions -%}
        {{ ' + ' if not loop.first }}{{ 2 ** loop.index0 }} * (true
        {%- if event_type %} and event_type = {{ sql_text(event_type) }}{% endif -%}
        {%- if page.endswith('*') %} and startsWith(page, {{ sql_text(page[:-1]) }})
        {%- elif page %} and page = {{ sql_text(page) }}{% endif -%}
        {%- if item_category %} and item_category = {{ sql_text(item_category) }}{% endif -%}
        {%- if element_id %} and element_id = {{ sql_text(element_id) }}{% endif -%}
        )
    {%- endfor -%}
    )
{%- endmacro %}

{# Per funnel (key, steps matched, breakdown value), for arrayJoin. #}
{% macro funnel_matches(chosen) -%}
    arrayFilter(matched -> matched.2 != 0, [
    {%- for funnel in chosen %}
        ({{ sql_text(funnel.key) }}, {{ funnel_steps_of(funnel) }}, toString({{ funnel.breakdown or "''" }})){{ ',' if not loop.last }}
    {%- endfor %}
    ]::Array(Tuple(key String, steps UInt8, breakdown String)))
{%- endmacro %}

{% macro sql_text(text) -%}
    '{{ text | replace('\\', '\\\\') | replace("'", "\\'") }}'
{%- endmacro %}

{% macro sql_texts(texts) -%}
    [{% for text in texts %}{{ sql_text(text) }}{{ ', ' if not loop.last }}{% endfor %}]
{%- endmacro %}

{# For `in`, which takes no empty list: no funnel has an empty key. #}
{% macro funnel_keys(chosen) -%}
    (''{% for funnel in chosen %}, {{ sql_text(funnel.key) }}{% endfor %})
{%- endmacro %}

{# An attribute of the row's funnel. #}
{% macro funnel_value(attribute, type) -%}
    {%- set keys, values = [], [] -%}
    {%- for funnel in funnels() -%}
        {%- do keys.append(funnel.key) -%}
        {%- do values.append(
            sql_texts(funnel[attribute]) if attribute == 'step_names'
            else sql_text(funnel[attribute]) if funnel[attribute] is string
            else funnel[attribute] | string | lower
        ) -%}
    {%- endfor -%}
    arrayElement([{{ values | join(', ') }}]::Array({{ type }}), indexOf({{ sql_texts(keys) }}, funnel_key))
{%- endmacro %}
