{% test at_most_column(model, column_name, other) %}
select {{ column_name }}, {{ other }} from {{ model }} where {{ column_name }} > {{ other }}
{% endtest %}
