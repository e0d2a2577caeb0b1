{# FINAL: only the row of each key that counts. A macro because dbt's unit tests stand plain queries in the
   place of tables, and a plain query takes no FINAL. #}
{% macro final() -%} final {%- endmacro %}
