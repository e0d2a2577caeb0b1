{# Refuses variables that contradict each other, whichever command reads the project. #}
{% macro check_variables() -%}
    {%- set idle, cap = var('session_idle_minutes'), var('session_cap_hours') -%}
    {%- set wrong = [] -%}
    {%- for name, low, high in [
        ('session_idle_minutes', 1, 1440), ('session_cap_hours', 1, 24), ('late_after_hours', 1, 8760),
        ('clock_ahead_minutes', 0, 1440), ('experiment_history_days', 1, 365), ('bot_min_events', 2, 1000000),
        ('bot_events_per_minute', 1, 1000000), ('bot_active_hours', 1, 24), ('run_events', 1000, 1000000000)
    ] -%}
        {%- if not low <= var(name) <= high -%}
            {%- do wrong.append(name ~ ' is ' ~ var(name) ~ '; allowed is ' ~ low ~ ' to ' ~ high) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if idle >= cap * 60 -%}
        {%- do wrong.append('session_idle_minutes (' ~ idle ~ ') must be shorter than session_cap_hours (' ~ cap ~ ')') -%}
    {%- endif -%}
    {%- if var('bot_active_hours') * 60 <= idle -%}
        {%- do wrong.append('bot_active_hours must be longer than session_idle_minutes') -%}
    {%- endif -%}
    {%- if wrong -%}
        {%- do exceptions.raise_compiler_error('dbt_project.yml, vars: ' ~ wrong | join('; ')) -%}
    {%- endif -%}
{%- endmacro %}
