{# The bucket of an item's users in which a user is, as one number for all items. Two items do not share one: among a million
   buckets, that has a chance of one in forty million. #}
{% macro item_bucket() -%}
    cityHash64(item_id, cityHash64(user_id) % 256)
{%- endmacro %}
