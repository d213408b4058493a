{#-
    What the semantic models say about an entity, as lists that `point_in_time` turns into SQL and the catalogue into
    words; its tables of events are in point_in_time_events. dbt shows its graph only while it executes: while it parses,
    all of these are empty.
-#}

{#- The windows that features look back over; `rows` is the number of weekly rows before the current one. -#}
{% macro feature_windows() %}
    {{ return([
        {'name': '7d', 'days': 7, 'rows': 0, 'words': 'in the last 7 days'},
        {'name': '28d', 'days': 28, 'rows': 3, 'words': 'in the last 28 days'},
        {'name': '91d', 'days': 91, 'rows': 12, 'words': 'in the last 91 days'},
        {'name': '364d', 'days': 364, 'rows': 51, 'words': 'in the last 364 days'},
        {'name': 'ever', 'days': none, 'rows': none, 'words': 'ever'},
    ]) }}
{% endmacro %}

{#- One window is enough per category: a column each, and wide tables are what a laptop has no room for. -#}
{% macro category_windows() %} {{ return(['91d']) }} {% endmacro %}

{#-
    What is worth knowing of a parent: not its categories, trends, shortest and long windows. One that has snapshots of its
    own (a lead's company) changes slowly: of its windows 91 days and ever are enough.
-#}
{% macro is_worth_of_parent(column, has_snapshots) %}
    {{ return(not modules.re.search('_(7d|364d)$|_vs_\\d+d$|_91d_' ~ ('|_28d$' if has_snapshots else ''), column)) }}
{% endmacro %}

{#- A window against the longer one that contains it. -#}
{% macro feature_trends() %}
    {{ return([
        {'short': '7d', 'long': '28d', 'short_days': 7, 'long_days': 28},
        {'short': '28d', 'long': '91d', 'short_days': 28, 'long_days': 91},
    ]) }}
{% endmacro %}

{#- Declares every core model as a parent: which of them have the entity is only known when dbt executes. -#}
{% macro read_core_models() %}
    {%- for name in var('core_models') -%} {%- do ref(name) -%} {%- endfor -%}
{% endmacro %}

{#- The semantic models of core models, by name. -#}
{% macro core_semantic_models() %}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for semantic_model in graph.semantic_models.values() | sort(attribute='name') -%}
            {%- set node = graph.nodes.get(semantic_model.depends_on.nodes[0]) -%}
            {%- if node and node.name in var('core_models') -%}
                {%- do found.append({'semantic_model': semantic_model, 'node': node}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}

{#- The column or expression behind an entity of a semantic model, none if it has no such entity of one of these types. -#}
{% macro entity_expression(semantic_model, entity, types) %}
    {%- for candidate in semantic_model.entities -%}
        {%- if candidate.name == entity and candidate.type in types -%}
            {{ return(candidate.expr or candidate.name) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}

{#- {'start': column, 'end': column} of a table of versions; empty for any other. -#}
{% macro validity_columns(semantic_model) %}
    {%- set columns = {} -%}
    {%- for dimension in semantic_model.dimensions -%}
        {%- set validity = dimension.type_params.validity_params if dimension.type_params else none -%}
        {%- if validity and validity.is_start -%} {%- do columns.update({'start': dimension.expr or dimension.name}) -%} {%- endif -%}
        {%- if validity and validity.is_end -%} {%- do columns.update({'end': dimension.expr or dimension.name}) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}

{#- The values that an accepted_values test allows in a column of a model; empty without such a test. -#}
{% macro accepted_values(node, column) %}
    {%- for test in graph.nodes.values() if test.resource_type == 'test' and test.attached_node == node.unique_id -%}
        {%- if test.column_name == column and test.test_metadata and test.test_metadata.name == 'accepted_values' -%}
            {{ return(test.test_metadata.kwargs.get('values', [])) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return([]) }}
{% endmacro %}

{#-
    The tables of versions of an entity (`type: natural` with validity_params) with the attributes that they give: all
    categorical dimensions and every `custom_*` column that the built table has. A name belongs to the first table that
    has it; names in `taken` to none.
-#}
{% macro attribute_tables(entity, taken=[]) %}
    {%- set tables = [] -%}
    {%- set seen = taken | list -%}
    {%- for item in core_semantic_models() -%}
        {%- set semantic_model = item.semantic_model -%}
        {%- set key = entity_expression(semantic_model, entity, ['natural']) -%}
        {%- set validity = validity_columns(semantic_model) -%}
        {%- if key and validity -%}
            {%- set attributes = [] -%}
            {%- for dimension in semantic_model.dimensions if dimension.type == 'categorical' and dimension.name not in seen -%}
                {%- do seen.append(dimension.name) -%}
                {%- do attributes.append({
                    'name': dimension.name, 'sql': dimension.expr or dimension.name, 'source_table': semantic_model.name,
                    'measure': none, 'window_days': none, 'words': (dimension.description or dimension.name | replace('_', ' ')).rstrip('.')
                }) -%}
            {%- endfor -%}
            {%- for column in columns_of(ref(item.node.name)) if column.name.startswith('custom_') and column.name not in seen -%}
                {%- do seen.append(column.name) -%}
                {%- do attributes.append({
                    'name': column.name, 'sql': column.name, 'source_table': semantic_model.name, 'measure': none, 'window_days': none,
                    'words': 'custom field ' ~ column.name[7:] | replace('_', ' ')
                }) -%}
            {%- endfor -%}
            {%- set parents = {} -%}
            {%- for foreign in semantic_model.entities if foreign.type == 'foreign' -%}
                {%- do parents.update({foreign.name: foreign.expr or foreign.name}) -%}
            {%- endfor -%}
            {%- do tables.append({
                'name': semantic_model.name, 'model': item.node.name, 'key': key, 'start': validity.start, 'end': validity.end,
                'attributes': attributes, 'parents': parents
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{% endmacro %}
