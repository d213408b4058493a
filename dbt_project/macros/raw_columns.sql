{#-
    The columns of a raw table under our names: the one way from raw to staging.

    `columns` maps our name to [the vendor's column, our type]. A column that the export lacks is null, a table that the
    company does not have gives no rows, and every other column passes through as `custom_<snake_case>` with the type it
    has (those that start with an underscore are the loader's own). `loaded_at` is when the row was loaded.
-#}
{% macro raw_columns(raw_table, columns) %}
    {%- if execute -%}
        {%- set relation = adapter.get_relation(raw_table.database, raw_table.schema, raw_table.identifier) -%}
    {%- else -%}
        {%- set relation = none -%}
    {%- endif -%}
    {%- set present = {} -%}
    {%- if relation is not none -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do present.update({column.name | lower: column.name}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set mapped = [] -%}
    select
        {% for name, (vendor, type) in columns.items() -%}
        {%- do mapped.append(vendor | lower) -%}
        {%- if vendor | lower in present -%}
        {{ typed(adapter.quote(present[vendor | lower]), type) }} as {{ name }},
        {% else -%}
        cast(null as {{ sql_type(type) }}) as {{ name }},
        {% endif -%}
        {%- endfor -%}
        {%- set taken = [] -%}
        {%- for lowered, name in present.items() if lowered not in mapped and not lowered.startswith('_') -%}
        {%- set custom = custom_name(name) -%}
        {%- if custom in taken -%}
            {{ exceptions.raise_compiler_error(raw_table ~ ": two columns would both be called " ~ custom ~ " ('" ~ name ~ "' is the second); rename one of them in the export or map it in the staging model") }}
        {%- endif -%}
        {%- do taken.append(custom) -%}
        {{ adapter.quote(name) }} as {{ custom }},
        {% endfor -%}
        {%- if '_loaded_at' in present -%}
        {{ adapter.quote(present['_loaded_at']) }} as loaded_at
        {%- else -%}
        cast(null as {{ dbt.type_timestamp() }}) as loaded_at
        {%- endif %}
    {%- if relation is not none %}
    from {{ relation }}
    {%- else %}
    where false
    {%- endif -%}
{% endmacro %}

{#- `Industry_Segment__c` -> custom_industry_segment, `leadTier` -> custom_lead_tier -#}
{% macro custom_name(vendor_name) -%}
    {%- set re = modules.re -%}
    {%- set words = re.sub('__c$', '', vendor_name) -%}
    {%- set words = re.sub('([a-z0-9])([A-Z])', '\\1_\\2', words) | lower -%}
    {{- return('custom_' ~ re.sub('[^a-z0-9]+', '_', words).strip('_')) -}}
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
        {%- set relation = ref(model) -%}
        {%- if execute -%}
            {%- set names = [] -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do names.append(column.name) -%}
                {%- if column.name.startswith('custom_') -%}
                    {%- set type = column.data_type -%}
                    {%- if custom_types.get(column.name, type) != type -%} {%- set type = dbt.type_string() -%} {%- endif -%}
                    {%- do custom_types.update({column.name: type}) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- do present.update({model: names}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for model in models %}
    select
        cast('{{ model.split('__')[0][4:] }}' as {{ dbt.type_string() }}) as source_system,
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
        {%- set relation = ref(model) -%}
        {%- if execute -%}
            {%- for column in adapter.get_columns_in_relation(relation) if column.name.startswith('custom_') -%}
                {%- if column.name not in names -%} {%- do names.append(column.name) -%} {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}

{#- The custom columns of an entity as the middle of a select list, each line ending in a comma. -#}
{% macro select_custom_columns(entity, table) -%}
    {%- for name in custom_columns(entity) %}
        {{ table }}.{{ name }},
    {%- endfor %}
{%- endmacro %}
