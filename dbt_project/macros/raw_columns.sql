{#-
    The columns of a raw table under our names: the one way from raw to staging.

    `columns` maps our name to [the vendor's column, our type]. A column that the export lacks is null, a table that the
    company does not have gives no rows, and every other column passes through as `custom_<snake_case>` with the type it
    has (those that start with an underscore are the loader's own). `loaded_at` is when the row was loaded.
-#}
{% macro raw_columns(raw_table, columns) %}
    {%- set found = columns_if_there(raw_table) -%}
    {%- set present = {} -%}
    {%- for column in found -%}
        {%- do present.update({folded(column.name): column.name}) -%}
    {%- endfor -%}
    {%- set mapped = [] -%}
    select
        {% for name, (vendor, type) in columns.items() -%}
        {%- do mapped.append(folded(vendor)) -%}
        {%- if folded(vendor) in present -%}
        {{ typed(quote_name(present[folded(vendor)]), type) }} as {{ name }},
        {% else -%}
        cast(null as {{ sql_type(type) }}) as {{ name }},
        {% endif -%}
        {%- endfor -%}
        {%- set taken = columns.keys() | list -%}
        {%- for column in found if folded(column.name) not in mapped and not column.name.startswith('_') -%}
        {%- set custom = custom_name(column.name, taken) -%}
        {%- do taken.append(custom) -%}
        {{ quote_name(column.name) }} as {{ custom }},
        {% endfor -%}
        {%- if '_loaded_at' in present -%}
        {{ quote_name(present['_loaded_at']) }} as loaded_at
        {%- else -%}
        cast(null as {{ dbt.type_timestamp() }}) as loaded_at
        {%- endif %}
    {%- if found %}
    from {{ raw_table }}
    {%- else %}
    where false
    {%- endif -%}
{% endmacro %}

{#- A name as engines compare names: without the case of ASCII letters, and of no others. -#}
{% macro folded(name) %}
    {{ return(name | lower if name.isascii() else name) }}
{% endmacro %}

{#-
    `Industry_Segment__c` -> custom_industry_segment, `leadTier` -> custom_lead_tier: letters, digits and underscores.

    A name that has none of these, and one that is in `taken`, gets a suffix that is made of the vendor's name alone. As
    columns keep their places in a raw table, and of two the older has the plain name, a later column renames no other.
-#}
{% macro custom_name(vendor_name, taken=[]) -%}
    {%- set re = modules.re -%}
    {%- set words = re.sub('__c$', '', vendor_name) -%}
    {%- set words = re.sub('([a-z0-9])([A-Z])', '\\1_\\2', words) | lower -%}
    {%- set plain = re.sub('[^a-z0-9]+', '_', words).strip('_') -%}
    {%- set ns = namespace(name='custom_' ~ (plain or 'field_' ~ local_md5(vendor_name)[:6])) -%}
    {%- for number in range(100) -%}
        {%- if ns.name in taken -%}
            {%- set ns.name = 'custom_' ~ (plain or 'field') ~ '_' ~ local_md5(vendor_name ~ number)[:6] -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(ns.name) -}}
{%- endmacro %}

{#-
    All staging models of an entity under one another, with the canonical columns in `columns` (name to type).

    The folder tree says which staging models there are (`var('staging_models')`). A column that a model lacks is null,
    `custom_*` columns pass through (null where a system does not have them; text where systems disagree on the type), and
    `source_system` says where a row is from: the word after `stg_` in the model's name.
-#}
{% macro union_staging(entity, columns) %}
    {%- set models = var('staging_models').get(entity, []) -%}
    {%- set custom_types = {} -%}
    {%- set present = {} -%}
    {%- for model in models -%}
        {%- set names = [] -%}
        {%- for column in columns_of(ref(model)) -%}
            {%- do names.append(column.name) -%}
            {%- if column.name.startswith('custom_') -%}
                {%- set type = column.data_type -%}
                {%- if custom_types.get(column.name, type) != type -%} {%- set type = dbt.type_string() -%} {%- endif -%}
                {%- do custom_types.update({column.name: type}) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do present.update({model: names}) -%}
    {%- endfor -%}
    {%- for model in models %}
    select
        cast({{ text_literal(model.split('__')[0][4:]) }} as {{ dbt.type_string() }}) as source_system,
        {%- for name, type in columns.items() %}
        cast({{ name if not execute or name in present[model] else 'null' }} as {{ sql_type(type) }}) as {{ name }},
        {%- endfor %}
        {%- for name, type in custom_types.items() %}
        cast({{ name if name in present[model] else 'null' }} as {{ type }}) as {{ name }},
        {%- endfor %}
        cast({{ 'loaded_at' if not execute or 'loaded_at' in present[model] else 'null' }} as {{ dbt.type_timestamp() }}) as loaded_at
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as source_system,
        {%- for name, type in columns.items() %}
        cast(null as {{ sql_type(type) }}) as {{ name }},
        {%- endfor %}
        cast(null as {{ dbt.type_timestamp() }}) as loaded_at
    where false
    {%- endfor %}
{% endmacro %}

{#- The custom columns that an entity's staging models have, by name; empty while dbt only parses. -#}
{% macro custom_columns(entity) -%}
    {%- set names = [] -%}
    {%- for model in var('staging_models').get(entity, []) -%}
        {%- for column in columns_of(ref(model)) if column.name.startswith('custom_') -%}
            {%- if column.name not in names -%} {%- do names.append(column.name) -%} {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}

{#- The custom columns of an entity as the middle of a select list, each line ending in a comma. -#}
{% macro select_custom_columns(entity, table) -%}
    {%- for name in custom_columns(entity) %}
        {{ table }}.{{ name }},
    {%- endfor %}
{%- endmacro %}
