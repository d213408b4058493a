{#-
    What the semantic models say about an entity, as lists that `point_in_time` turns into SQL and the catalogue into
    words. dbt shows its graph only while it executes: while it parses, all of these are empty.
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

{#- `tickets` and `tickets_reply_hours` give `reply_hours`: measure names are unique in a project, so they carry their table. -#}
{% macro own_name(measure, table) %}
    {{ return(measure[table | length + 1:] if measure.startswith(table ~ '_') else measure) }}
{% endmacro %}

{% macro name_part(value) %}
    {{ return(modules.re.sub('[^a-z0-9]+', '_', (value | string | lower)).strip('_')) }}
{% endmacro %}

{#-
    The event tables of an entity: semantic models of core that have it as a foreign key and say when a row became known
    (`defaults.agg_time_dimension`). Each comes with

    bases     what is aggregated per week: {stem, suffix, sql, roll (sum, min, max), windows}; the window's column is
              `<stem>_<window><suffix>`
    features  {name, sql (over those columns), is_whole (counts and days: integers), source_table, measure, window_days, words}

    A sum, a count, an average, a minimum and a maximum can be put together from weeks; other aggregations (a median, a
    count of distinct values) cannot and give no features. Tables of versions are attributes, not events.
-#}
{% macro event_tables(entity) %}
    {%- set tables = [] -%}
    {%- for item in core_semantic_models() -%}
        {%- set semantic_model = item.semantic_model -%}
        {%- set key = entity_expression(semantic_model, entity, ['foreign']) -%}
        {%- set time = semantic_model.defaults.agg_time_dimension if semantic_model.defaults else none -%}
        {%- if key and time and not validity_columns(semantic_model) -%}
            {%- for dimension in semantic_model.dimensions if dimension.name == time and dimension.expr -%}
                {%- set time = dimension.expr -%}
            {%- endfor -%}
            {%- do tables.append(event_table(semantic_model, item.node, key, time)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{% endmacro %}

{% macro event_table(semantic_model, node, key, time) %}
    {%- set name = semantic_model.name -%}
    {%- set windows = feature_windows() -%}
    {%- set every_window = windows | map(attribute='name') | list -%}
    {%- set bases = [] -%}
    {%- set features = [] -%}
    {%- set ns = namespace(noun=semantic_model.description or name | replace('_', ' '), event=name | replace('_', ' '), key=none) -%}
    {%- for primary in semantic_model.entities if primary.type in ['primary', 'unique'] -%}
        {%- set ns.event = (primary.label or primary.name) | replace('_', ' ') -%}
        {%- set ns.key = primary.expr or primary.name -%}
    {%- endfor -%}
    {%- set counts_rows = [] -%}
    {%- for measure in semantic_model.measures if measure.agg == 'count' and (measure.expr or measure.name) | string in [ns.key, '1', '*'] -%}
        {%- set ns.noun = measure.description or ns.noun -%}
        {%- do counts_rows.append(measure.name) -%}
    {%- endfor -%}

    {%- set additive = [{'stem': name ~ '_count', 'sql': 'count(*)', 'measure': counts_rows | first or name ~ '_count', 'words': ns.noun}] -%}
    {%- for measure in semantic_model.measures if measure.name not in counts_rows -%}
        {%- set stem = name ~ '_' ~ own_name(measure.name, name) -%}
        {%- set expression = measure.expr or measure.name -%}
        {%- set words = measure.description or own_name(measure.name, name) | replace('_', ' ') -%}
        {%- if measure.agg == 'sum' -%}
            {%- do additive.append({'stem': stem ~ '_sum', 'sql': 'sum(cast(' ~ expression ~ ' as ' ~ type_double() ~ '))', 'measure': measure.name, 'words': words}) -%}
        {%- elif measure.agg == 'count' -%}
            {%- do additive.append({'stem': stem ~ '_count', 'sql': 'count(' ~ expression ~ ')', 'measure': measure.name, 'words': words}) -%}
        {%- elif measure.agg == 'sum_boolean' -%}
            {%- do additive.append({'stem': stem ~ '_count', 'sql': 'sum(case when ' ~ expression ~ ' then 1 else 0 end)', 'measure': measure.name, 'words': words}) -%}
        {%- elif measure.agg in ['min', 'max'] -%}
            {%- set stem = stem ~ '_' ~ measure.agg -%}
            {%- do bases.append({'stem': stem, 'suffix': '', 'sql': measure.agg ~ '(cast(' ~ expression ~ ' as ' ~ type_double() ~ '))', 'roll': measure.agg, 'windows': every_window}) -%}
            {%- for window in windows -%}
                {%- do features.append({
                    'name': stem ~ '_' ~ window.name, 'sql': stem ~ '_' ~ window.name, 'source_table': name, 'measure': measure.name,
                    'window_days': window.days, 'words': ('lowest ' if measure.agg == 'min' else 'highest ') ~ words ~ ' ' ~ window.words
                }) -%}
            {%- endfor -%}
        {%- elif measure.agg == 'average' -%}
            {%- set stem = stem ~ '_average' -%}
            {%- do bases.append({'stem': stem ~ '_total', 'suffix': '', 'sql': 'sum(cast(' ~ expression ~ ' as ' ~ type_double() ~ '))', 'roll': 'sum', 'windows': every_window}) -%}
            {%- do bases.append({'stem': stem ~ '_rows', 'suffix': '', 'sql': 'count(' ~ expression ~ ')', 'roll': 'sum', 'windows': every_window}) -%}
            {%- set mean = {} -%}
            {%- for window in windows -%}
                {%- do mean.update({window.name: stem ~ '_total_' ~ window.name ~ ' / nullif(' ~ stem ~ '_rows_' ~ window.name ~ ', 0)'}) -%}
                {%- do features.append({
                    'name': stem ~ '_' ~ window.name, 'sql': mean[window.name], 'source_table': name, 'measure': measure.name,
                    'window_days': window.days, 'words': 'average ' ~ words ~ ' ' ~ window.words
                }) -%}
            {%- endfor -%}
            {%- for trend in feature_trends() -%}
                {%- do features.append({
                    'name': stem ~ '_' ~ trend.short ~ '_vs_' ~ trend.long, 'source_table': name, 'measure': measure.name,
                    'sql': '(' ~ mean[trend.short] ~ ') / nullif(' ~ mean[trend.long] ~ ', 0)', 'window_days': trend.short_days,
                    'words': 'average ' ~ words ~ ', last ' ~ trend.short_days ~ ' days against last ' ~ trend.long_days
                }) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}

    {%- for measure in additive -%}
        {%- do bases.append({'stem': measure.stem, 'suffix': '', 'sql': measure.sql, 'roll': 'sum', 'windows': every_window}) -%}
        {%- for window in windows -%}
            {%- do features.append({
                'name': measure.stem ~ '_' ~ window.name, 'sql': measure.stem ~ '_' ~ window.name, 'source_table': name,
                'measure': measure.measure, 'window_days': window.days, 'words': measure.words ~ ' ' ~ window.words,
                'is_whole': measure.stem.endswith('_count')
            }) -%}
        {%- endfor -%}
        {%- for trend in feature_trends() -%}
            {%- do features.append({
                'name': measure.stem ~ '_' ~ trend.short ~ '_vs_' ~ trend.long, 'source_table': name, 'measure': measure.measure,
                'sql': measure.stem ~ '_' ~ trend.short ~ ' * ' ~ (trend.long_days / trend.short_days) ~ ' / nullif(' ~ measure.stem ~ '_' ~ trend.long ~ ', 0)',
                'window_days': trend.short_days,
                'words': measure.words ~ ' per day, last ' ~ trend.short_days ~ ' days against last ' ~ trend.long_days
            }) -%}
        {%- endfor -%}
    {%- endfor -%}

    {%- for dimension in semantic_model.dimensions if dimension.type == 'categorical' -%}
        {%- set column = dimension.expr or dimension.name -%}
        {%- for value in accepted_values(node, column) -%}
            {%- set suffix = '_' ~ dimension.name ~ '_' ~ name_part(value) -%}
            {%- set literal = text_literal(value) if value is string else value -%}
            {%- do bases.append({
                'stem': name ~ '_count', 'suffix': suffix, 'roll': 'sum', 'windows': category_windows(),
                'sql': 'count(case when ' ~ column ~ ' = ' ~ literal ~ ' then 1 end)'
            }) -%}
            {%- for window in windows if window.name in category_windows() -%}
                {%- do features.append({
                    'name': name ~ '_count_' ~ window.name ~ suffix, 'sql': name ~ '_count_' ~ window.name ~ suffix, 'source_table': name,
                    'measure': additive[0].measure, 'window_days': window.days, 'is_whole': true,
                    'words': ns.noun ~ ' with ' ~ dimension.name | replace('_', ' ') ~ ' ' ~ (value | string | replace('_', ' ')) ~ ' ' ~ window.words
                }) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}

    {%- for end, roll in [('last', 'max'), ('first', 'min')] -%}
        {%- do bases.append({
            'stem': name ~ '_' ~ end, 'suffix': '', 'roll': roll, 'windows': ['ever'],
            'sql': roll ~ '(cast(' ~ time ~ ' as date))'
        }) -%}
        {%- do features.append({
            'name': 'days_since_' ~ end ~ '_' ~ name, 'sql': dbt.datediff(name ~ '_' ~ end ~ '_ever', 'as_of_date', 'day'),
            'source_table': name, 'measure': additive[0].measure, 'window_days': none, 'is_whole': true,
            'words': 'days since the ' ~ end ~ ' ' ~ ns.event
        }) -%}
    {%- endfor -%}
    {{ return({'name': name, 'model': node.name, 'key': key, 'time': time, 'bases': bases, 'features': features}) }}
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
