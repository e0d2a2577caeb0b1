{# What a piece of a session is made of: one event as a named tuple; `id` orders events of the same time. #}
{% macro session_event() -%}
    cast(
        (
            event_time, toUnixTimestamp64Micro(event_time), UUIDToNum(event_id), event_id, event_type, revenue,
            earliness, page, item_id, search_query, referrer, user_agent, ip_address, device_type, country,
            is_bot_agent, is_late, is_ahead
        ) as Tuple(
            event_time DateTime64(6, 'UTC'), micros Int64, id FixedString(16), event_id UUID, event_type String,
            revenue Decimal(38, 6), earliness UInt64, page String, item_id String, search_query String,
            referrer String, user_agent String, ip_address String, device_type String, country String,
            is_bot_agent Bool, is_late Bool, is_ahead Bool
        )
    )
{%- endmacro %}

{# One piece of a session as a named tuple, from the list `part` of its events in the order of time. Lists in it are
   sorted or compacted, so that the same events give the same tuple in whatever order they are read. #}
{% macro session_piece(part) -%}
    cast(
        (
            toString(session_id),
            {{ part }}.event_time[1],
            {{ part }}.event_time[-1],
            arrayMax(arrayDifference({{ part }}.micros)),
            arrayMax({{ part }}.earliness) as earliness,
            arrayFirst(
                (landed, one) -> one = earliness,
                arrayZip({{ part }}.event_id, {{ part }}.event_time), {{ part }}.earliness
            ),
            arrayReduce('sumMap', arrayMap(kind -> map(kind, toUInt64(1)), {{ part }}.event_type)),
            arraySum({{ part }}.revenue),
            {{ distinct_of(part ~ '.page') }},
            arrayCompact({{ of_page_views(part ~ '.page', part) }}),
            arrayCompact({{ part }}.event_type),
            arraySort(arrayDistinct({{ of_page_views(part ~ '.item_id', part) }})),
            {{ distinct_of(part ~ '.search_query') }},
            {{ distinct_of(part ~ '.referrer') }},
            {{ first_of(part ~ '.user_agent') }},
            {{ first_of(part ~ '.ip_address') }},
            {{ first_of(part ~ '.device_type') }},
            {{ first_of(part ~ '.country') }},
            has({{ part }}.is_bot_agent, true)
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

{# In the texts of a list, the empty ones are those that are not known. #}
{% macro distinct_of(texts) -%} arraySort(arrayDistinct(arrayFilter(one -> one != '', {{ texts }}))) {%- endmacro %}

{% macro first_of(texts) -%} arrayFirst(one -> one != '', {{ texts }}) {%- endmacro %}

{% macro of_page_views(texts, part) -%}
    arrayFilter((one, kind) -> kind = 'page_view' and one != '', {{ texts }}, {{ part }}.event_type)
{%- endmacro %}
