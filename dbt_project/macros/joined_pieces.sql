{# A session from `parts`, its one or two pieces in the order of time, as a named tuple. #}
{% macro joined_pieces() -%}
    {%- set reasons -%}
        arrayFilter((reason, is_true) -> is_true, ['user_agent', 'rate', 'duration'], [
            has(tupleElement(parts, 'is_bot_agent'), true),
            events >= {{ var('bot_min_events') }}
            and events * 60000000 > {{ var('bot_events_per_minute') }} * greatest(duration_us, 1000000),
            duration_us >= {{ var('bot_active_hours') * 3600000000 }}
            and longest_pause <= {{ var('session_idle_minutes') * 60000000 }}
        ])
    {%- endset -%}
    cast(
        (
            -- Named after the event that landed first, which nothing that lands later can change.
            lower(hex(sipHash128(user_id, arraySort(one -> -one.earliness, parts)[1].first_landed))),
            parts[1].client_session_id,
            parts[1].first_at as begin,
            parts[-1].last_at as end,
            toUnixTimestamp64Micro(end) - toUnixTimestamp64Micro(begin) as duration_us,
            greatest(
                arrayMax(tupleElement(parts, 'longest_pause')),
                if(
                    length(parts) = 2,
                    toUnixTimestamp64Micro(parts[-1].first_at) - toUnixTimestamp64Micro(parts[1].last_at), 0
                )
            ) as longest_pause,
            arrayReduce('sumMap', tupleElement(parts, 'counts')) as counts,
            arraySum(mapValues(counts)) as events,
            counts['page_view'],
            counts['purchase'],
            counts['page_view'] <= 1 and arrayAll(kind -> kind in ('page_view', 'scroll', 'hover'), mapKeys(counts)),
            arraySum(tupleElement(parts, 'revenue')),
            arraySort(arrayDistinct(arrayFlatten(tupleElement(parts, 'pages')))),
            arrayCompact(arrayFlatten(tupleElement(parts, 'path'))) as path,
            if(empty(path), '', path[1]),
            if(empty(path), '', path[-1]),
            arrayCompact(arrayFlatten(tupleElement(parts, 'steps'))),
            arraySort(arrayDistinct(arrayFlatten(tupleElement(parts, 'items_viewed')))),
            arraySort(arrayDistinct(arrayFlatten(tupleElement(parts, 'search_queries')))),
            arraySort(arrayDistinct(arrayFlatten(tupleElement(parts, 'referrers')))),
            arrayFirst(one -> one != '', tupleElement(parts, 'user_agent')),
            arrayFirst(one -> one != '', tupleElement(parts, 'ip_address')),
            arrayFirst(one -> one != '', tupleElement(parts, 'device_type')),
            arrayFirst(one -> one != '', tupleElement(parts, 'country')),
            {{ reasons }} as reasons,
            notEmpty(reasons)
        ) as Tuple(
            session_id String, client_session_id String, started_at DateTime64(6, 'UTC'),
            ended_at DateTime64(6, 'UTC'), duration_us Int64, longest_pause Int64, counts Map(String, UInt64),
            events UInt64, page_views UInt64, purchases UInt64, is_bounced Bool, revenue Decimal(38, 6), pages Array(String), path Array(String),
            entry_page String, exit_page String, steps Array(String),
            items_viewed Array(String), search_queries Array(String), referrers Array(String),
            user_agent String, ip_address String, device_type String, country String,
            bot_reasons Array(String), is_bot Bool
        )
    )
{%- endmacro %}
