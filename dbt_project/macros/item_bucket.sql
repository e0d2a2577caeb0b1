{# The bucket of an item's users in which a user is, as one number for all items. Two that share a number by chance
   are counted again together, each by itself. #}
{% macro item_bucket() -%}
    toUInt32(cityHash64(item_id, cityHash64(user_id) % 256))
{%- endmacro %}
