{#- Whether somebody still has to do something about a version's ticket; a word that a vendor added is no end. -#}
{% macro is_open_ticket(versions) -%}
    not coalesce({{ versions }}.is_deleted, false)
    and coalesce({{ versions }}.status, 'open') not in ('solved', 'closed', 'deleted')
{%- endmacro %}

{#- The place of a priority in their order; null for none and for a word that is not known. -#}
{% macro place_of_priority(priority) -%}
    case {{ priority }} when 'low' then 1 when 'normal' then 2 when 'high' then 3 when 'urgent' then 4 end
{%- endmacro %}
