{# A page without its host, query and fragment, so that one page is one page; a host alone is '/'. As in the migration
   live_pages. #}
{% macro page_path(url) -%}
    multiIf(
        not match({{ url }}, '^([a-zA-Z][a-zA-Z0-9+.-]*:)?//'), cutQueryStringAndFragment({{ url }}),
        path(cutQueryStringAndFragment({{ url }})) = '', '/',
        path(cutQueryStringAndFragment({{ url }}))
    )
{%- endmacro %}

{# A number that is higher the earlier a row landed: milliseconds of landing, then the place in Kafka, counted
   down. Of an event's copies the first to land stays, and a session is named after its first to land; both
   are therefore the same in every rebuild, and nothing that lands later changes them. #}
{% macro earliness() -%}
    18446744073709551615 - (
        bitShiftLeft(toUInt64(toUnixTimestamp64Milli(ingested_at)), 22)
        + bitShiftLeft(kafka_offset % 65536, 6) + kafka_partition % 64
    )
{%- endmacro %}
