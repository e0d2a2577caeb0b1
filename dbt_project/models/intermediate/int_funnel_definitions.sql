-- Which definitions of funnels each model holds the whole history of; the models themselves write it when they end.
-- A table of its own, so that it goes when they go. It holds what has been made of int_events, so it comes after it.
-- depends_on: {{ ref('int_events') }}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='MergeTree()',
    order_by='(model, defined_at)'
) }}

select '' as model, []::Array(String) as definitions, now64(6, 'UTC') as defined_at
where false
