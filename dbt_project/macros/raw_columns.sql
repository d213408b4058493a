{#-
    The columns of a raw table under our names: the one way from raw to staging.

    `columns` maps our name to [the vendor's column, our type]. A column that the export lacks is null, a table that the
    company does not have gives no rows, and every other column passes through as `custom_<snake_case>` with the type it
    has (those that start with an underscore are the loader's own). `loaded_at` is when the row was loaded.

    `history` says what a record's own dates tell of the time before its first export (see `rebuilt_versions`).
-#}
{% macro raw_columns(raw_table, columns, history=none) %}
    {%- set found = columns_if_there(raw_table) -%}
    {%- set made_at = first_export_of(raw_table) if history and found else none -%}
    {%- set vanished = has_vanished(raw_table) if history and history.gone and found else false -%}
    {%- if made_at or vanished -%}
        {{ rebuilt_versions(raw_table, columns, found, history, made_at, vanished) }}
    {%- else -%}
        {{ recorded_columns(raw_table, columns, found, history) }}
    {%- endif -%}
{% endmacro %}

{#- The rows as they are in the raw table. -#}
{% macro recorded_columns(raw_table, columns, found, history) %}
    {%- set present = {} -%}
    {%- for column in found -%}
        {%- do present.update({folded(column.name): column.name}) -%}
    {%- endfor -%}
    select
        {% for name, (vendor, type) in columns.items() -%}
        {%- if folded(vendor) in present -%}
        {{ typed(quote_name(present[folded(vendor)]), type) }} as {{ name }},
        {% else -%}
        cast(null as {{ sql_type(type) }}) as {{ name }},
        {% endif -%}
        {%- endfor -%}
        {%- for custom in custom_fields(columns, found) -%}
        {{ quote_name(custom.vendor) }} as {{ custom.name }},
        {% endfor -%}
        {%- if history -%}
        false as is_rebuilt,
        {% endif -%}
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

{#- The columns of a raw table that have no name of ours, as {vendor, name, type}. -#}
{% macro custom_fields(columns, found) %}
    {%- set mapped = [] -%}
    {%- for vendor, _ in columns.values() -%} {%- do mapped.append(folded(vendor)) -%} {%- endfor -%}
    {%- set taken = columns.keys() | list -%}
    {%- set fields = [] -%}
    {%- for column in found if folded(column.name) not in mapped and not column.name.startswith('_') -%}
        {%- set name = custom_name(column.name, taken) -%}
        {%- do taken.append(name) -%}
        {%- do fields.append({'vendor': column.name, 'name': name, 'type': column.data_type}) -%}
    {%- endfor -%}
    {{ return(fields) }}
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

    The folder tree says which staging models there are (`var('staging_models')`). A column that a model lacks is null, one
    of the type `currency` is a code of ISO 4217 or, where none is written, what `sources.yaml` says of the system,
    `custom_*` columns pass through (null where a system does not have them; text where systems disagree on the type), and
    `source_system` says where a row is from: the word after `stg_` in the model's name; `is_rebuilt` is that of staging. What
    a text of `columns` says is `meant`: e-mail addresses and domains in one form, null where they are nobody's. Any other column that a model has
    is a mistake, unless the model's YAML says that it stays there: `config: {meta: {stays_in_staging: [name]}}`. A core
    model that reads some of the columns that another reads in full says `is_part=true`.
-#}
{% macro union_staging(entity, columns, is_part=false) %}
    {%- set models = var('staging_models').get(entity, []) -%}
    {%- set custom_types = {} -%}
    {%- set present = {} -%}
    {%- set money = money_settings() if 'currency' in columns.values() else {} -%}
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
        {%- if not is_part -%} {%- do stop_if_unknown(model, names, columns.keys() | list) -%} {%- endif -%}
    {%- endfor -%}
    {%- for model in models %}
    select
        cast({{ text_literal(model.split('__')[0][4:]) }} as {{ dbt.type_string() }}) as source_system,
        {%- for name, type in columns.items() %}
        {%- if type == 'currency' %}
        {%- set value = name if not execute or name in present[model] else 'null' %}
        cast({{ currency_or_default(value, money.by_source.get(model.split('__')[0][4:])) }} as {{ dbt.type_string() }}) as {{ name }},
        {%- elif execute and name not in present[model] %}
        cast(null as {{ sql_type(type) }}) as {{ name }},
        {%- elif name == 'external_key' %}
        {{ key_elsewhere('cast(' ~ name ~ ' as ' ~ sql_type(type) ~ ')', 'external_source' if execute and 'external_source' in present[model] else 'null') }} as {{ name }},
        {%- else %}
        {%- set value = 'cast(' ~ name ~ ' as ' ~ sql_type(type) ~ ')' %}
        {{ meant(name, value) if type == 'string' else masked_text(value) if type == 'free_text' else value }} as {{ name }},
        {%- endif %}
        {%- endfor %}
        {%- for name, type in custom_types.items() %}
        cast({{ name if name in present[model] else 'null' }} as {{ type }}) as {{ name }},
        {%- endfor %}
        cast({{ 'is_rebuilt' if execute and 'is_rebuilt' in present[model] else 'false' }} as {{ dbt.type_boolean() }}) as is_rebuilt,
        cast({{ 'loaded_at' if not execute or 'loaded_at' in present[model] else 'null' }} as {{ dbt.type_timestamp() }}) as loaded_at
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as source_system,
        {%- for name, type in columns.items() %}
        cast(null as {{ sql_type('string' if type == 'currency' else type) }}) as {{ name }},
        {%- endfor %}
        false as is_rebuilt,
        cast(null as {{ dbt.type_timestamp() }}) as loaded_at
    where false
    {%- endfor %}
{% endmacro %}

{#- An error, in words, if a staging model has columns that neither core knows nor the model's YAML keeps back. -#}
{% macro stop_if_unknown(staging_model, names, known) %}
    {%- set node = graph.nodes['model.' ~ project_name ~ '.' ~ staging_model] if execute else {} -%}
    {%- set unknown = [] -%}
    {%- for name in names if name not in known + ['is_rebuilt', 'loaded_at'] and not name.startswith('custom_') -%}
        {%- if name not in node.config.meta.get('stays_in_staging', []) -%}
            {%- set close = closest(name, known) -%}
            {%- do unknown.append("'" ~ name ~ "'" ~ (" (did you mean '" ~ close ~ "'?)" if close else "")) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if unknown -%}
        {{ exceptions.raise_compiler_error(
            node.original_file_path ~ " has columns that " ~ model.original_file_path ~ " does not know: " ~ unknown | join(', ')
            ~ ". Use core's name, or custom_<name> to pass it on as it is, or say in the model's YAML that it stays there"
            ~ " (config: {meta: {stays_in_staging: [name]}})."
        ) }}
    {%- endif -%}
{% endmacro %}

{#- The name that is most like this one, none if no name is: twice the letters that both have in this order, of all letters. -#}
{% macro closest(name, names) %}
    {%- set best = namespace(name=none, likeness=0.6) -%}
    {%- for other in names -%}
        {%- set shared = namespace(so_far=[0] * (other | length + 1)) -%}
        {%- for letter in name | lower -%}
            {%- set row = [0] -%}
            {%- for place in range(other | length) -%}
                {%- do row.append(shared.so_far[place] + 1 if other[place] == letter else [shared.so_far[place + 1], row[place]] | max) -%}
            {%- endfor -%}
            {%- set shared.so_far = row -%}
        {%- endfor -%}
        {%- set likeness = 2 * shared.so_far[-1] / (name | length + other | length) -%}
        {%- if likeness > best.likeness -%}
            {%- set best.name = other -%}
            {%- set best.likeness = likeness -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(best.name) }}
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
