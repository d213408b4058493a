{#-
    A share of few is no share: `count` of `total`, drawn to the share that all have together (`overall`) as if there were
    `as_if` more with it; null where nothing is known at all.
-#}
{% macro shrunk_share(count, total, overall, as_if) -%}
    ({{ count }} + {{ as_if }} * {{ overall }}) / ({{ total }} + {{ as_if }})
{%- endmacro %}

{#- The end of the interval that has such a share in 95 of 100 cases, `sign` -1 or 1 (Wilson, 1927, by the shrunk count). -#}
{% macro share_bound(sign, count, total, overall, as_if) -%}
    {%- set share = shrunk_share(count, total, overall, as_if) -%}
    {%- set many = '(' ~ total ~ ' + ' ~ as_if ~ ')' -%}
    {%- set z = 1.96 -%}
    (
        {{ share }} + {{ z * z / 2 }} / {{ many }}
        {{ '-' if sign < 0 else '+' }} {{ z }} * sqrt({{ share }} * (1 - {{ share }}) / {{ many }} + {{ z * z / 4 }} / ({{ many }} * {{ many }}))
    ) / (1 + {{ z * z }} / {{ many }})
{%- endmacro %}
