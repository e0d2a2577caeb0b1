{# One piece of a session as a named tuple, aggregated over its events. Lists are sorted and compacted, so that
   the same events give the same tuple in whatever order they are read. #}
{% macro session_piece() -%}
    cast(
        (
            toString(session_id),
            min(numbered.event_time),
            max(numbered.event_time),
            max(if(is_resumed, 0, pause)),
            max(numbered.earliness),
            argMax((numbered.event_id, numbered.event_time), numbered.earliness),
            sumMap(map(toString(event_type), toUInt64(1))),
            sum(numbered.revenue),
            arraySort(groupUniqArrayIf(page, page != '')),
            arrayCompact({{ in_order('page', "event_type = 'page_view' and page != ''") }}),
            arrayCompact({{ in_order('toString(event_type)', 'true') }}),
            arraySort(groupUniqArrayIf(item_id, item_id != '' and event_type = 'page_view')),
            arraySort(groupUniqArrayIf(search_query, search_query != '')),
            arraySort(groupUniqArrayIf(referrer, referrer != '')),
            {{ first_of('user_agent') }},
            {{ first_of('ip_address') }},
            {{ first_of('device_type') }},
            {{ first_of('country') }},
            max(is_bot_agent)
        ) as Tuple(
            client_session_id String, first_at DateTime64(6, 'UTC'), last_at DateTime64(6, 'UTC'),
            longest_pause Int64, earliness UInt64, first_landed Tuple(UUID, DateTime64(6, 'UTC')),
            counts Map(String, UInt64), revenue Decimal(38, 6), pages Array(String), path Array(String),
            steps Array(String), items_viewed Array(String), search_queries Array(String),
            referrers Array(String), user_agent String, ip_address String, device_type String,
            country String, is_bot_agent Bool
        )
    )
{%- endmacro %}

{% macro in_order(value, condition) -%}
    arrayMap(one -> one.3, arraySort(groupArrayIf((numbered.event_time, UUIDToNum(event_id), {{ value }}), {{ condition }})))
{%- endmacro %}

{# The earliest value that is not empty. #}
{% macro first_of(column) -%}
    toString(argMinIf({{ column }}, (numbered.event_time, UUIDToNum(event_id)), {{ column }} != ''))
{%- endmacro %}
