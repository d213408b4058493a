{#-
    The event tables of an entity: semantic models of core that have it as a foreign key and say when a row became known
    (`defaults.agg_time_dimension`). Each comes with

    bases     what is aggregated per week: {stem, suffix, sql, roll (sum, min, max), windows}; the window's column is
              `<stem>_<window><suffix>`
    features  {name, sql (over those columns), is_whole (counts and days: integers), source_table, measure, window_days, words}

    A sum, a count, an average, a minimum and a maximum can be put together from weeks; other aggregations (a median, a
    count of distinct values) cannot and give no features. Tables of versions are attributes, not events. README.md beside
    this file shows what becomes of one table.
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

{#- One of them: {name, model, key, time, bases, features}. Each of the macros below gives a part: {bases, features}. -#}
{% macro event_table(semantic_model, node, key, time) %}
    {%- set name = semantic_model.name -%}
    {%- set rows = row_count(semantic_model) -%}
    {%- set parts = [] -%}
    {%- for measure in semantic_model.measures -%}
        {%- if measure.agg in ['min', 'max'] -%} {%- do parts.append(extreme_features(name, measure)) -%}
        {%- elif measure.agg == 'average' -%} {%- do parts.append(average_features(name, measure)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for total in [rows] + summed_measures(semantic_model, rows) -%}
        {%- do parts.append(total_features(name, total)) -%}
    {%- endfor -%}
    {%- for dimension in semantic_model.dimensions if dimension.type == 'categorical' -%}
        {%- do parts.append(category_features(name, rows, dimension, accepted_values(node, dimension.expr or dimension.name))) -%}
    {%- endfor -%}
    {%- do parts.append(recency_features(name, rows, time, event_word(semantic_model))) -%}
    {{ return({
        'name': name, 'model': node.name, 'key': key, 'time': time,
        'bases': parts | sum(attribute='bases', start=[]), 'features': parts | sum(attribute='features', start=[])
    }) }}
{% endmacro %}

{#- What one row is called: the label or the name of the table's own entity. -#}
{% macro event_word(semantic_model) %}
    {%- set ns = namespace(word=semantic_model.name) -%}
    {%- for entity in semantic_model.entities if entity.type in ['primary', 'unique'] -%}
        {%- set ns.word = entity.label or entity.name -%}
    {%- endfor -%}
    {{ return(ns.word | replace('_', ' ')) }}
{% endmacro %}

{#- How many rows: {stem, sql, measure, words, counted_by}; every table has it, named by the measures that count its rows. -#}
{% macro row_count(semantic_model) %}
    {%- set name = semantic_model.name -%}
    {%- set ns = namespace(key=none, words=semantic_model.description or name | replace('_', ' ')) -%}
    {%- for entity in semantic_model.entities if entity.type in ['primary', 'unique'] -%}
        {%- set ns.key = entity.expr or entity.name -%}
    {%- endfor -%}
    {%- set counted_by = [] -%}
    {%- for measure in semantic_model.measures if measure.agg == 'count' and (measure.expr or measure.name) | string in [ns.key, '1', '*'] -%}
        {%- set ns.words = measure.description or ns.words -%}
        {%- do counted_by.append(measure.name) -%}
    {%- endfor -%}
    {{ return({
        'stem': name ~ '_count', 'sql': 'count(*)', 'measure': counted_by | first or name ~ '_count', 'words': ns.words,
        'counted_by': counted_by
    }) }}
{% endmacro %}

{#- The measures that add up over weeks: {stem, sql, measure, words} of every sum and every count of something else than rows. -#}
{% macro summed_measures(semantic_model, rows) %}
    {%- set found = [] -%}
    {%- for measure in semantic_model.measures if measure.name not in rows.counted_by -%}
        {%- set expression = measure.expr or measure.name -%}
        {%- set sql = {
            'sum': 'sum(' ~ as_double(expression) ~ ')',
            'count': 'count(' ~ expression ~ ')',
            'sum_boolean': 'sum(case when ' ~ expression ~ ' then 1 else 0 end)',
        }.get(measure.agg) -%}
        {%- if sql -%}
            {%- set kind = '_sum' if measure.agg == 'sum' else '_count' -%}
            {%- do found.append({
                'stem': measure_stem(semantic_model.name, measure) ~ kind, 'sql': sql, 'measure': measure.name,
                'words': measure_words(semantic_model.name, measure)
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- A total in every window, and each trend: per day in the short window against the long one. -#}
{% macro total_features(table, total) %}
    {%- set features = [] -%}
    {%- for window in feature_windows() -%}
        {%- do features.append({
            'name': total.stem ~ '_' ~ window.name, 'sql': total.stem ~ '_' ~ window.name, 'source_table': table,
            'measure': total.measure, 'window_days': window.days, 'words': total.words ~ ' ' ~ window.words,
            'is_whole': total.stem.endswith('_count')
        }) -%}
    {%- endfor -%}
    {%- for trend in feature_trends() -%}
        {%- do features.append({
            'name': total.stem ~ '_' ~ trend.short ~ '_vs_' ~ trend.long, 'source_table': table, 'measure': total.measure,
            'sql': total.stem ~ '_' ~ trend.short ~ ' * ' ~ (trend.long_days / trend.short_days) ~ ' / nullif(' ~ total.stem ~ '_' ~ trend.long ~ ', 0)',
            'window_days': trend.short_days,
            'words': total.words ~ ' per day, last ' ~ trend.short_days ~ ' days against last ' ~ trend.long_days
        }) -%}
    {%- endfor -%}
    {{ return({'bases': [every_window_base(total.stem, total.sql, 'sum')], 'features': features}) }}
{% endmacro %}

{#- The lowest or the highest value in every window. -#}
{% macro extreme_features(table, measure) %}
    {%- set stem = measure_stem(table, measure) ~ '_' ~ measure.agg -%}
    {%- set words = ('lowest ' if measure.agg == 'min' else 'highest ') ~ measure_words(table, measure) -%}
    {%- set features = [] -%}
    {%- for window in feature_windows() -%}
        {%- do features.append({
            'name': stem ~ '_' ~ window.name, 'sql': stem ~ '_' ~ window.name, 'source_table': table, 'measure': measure.name,
            'window_days': window.days, 'words': words ~ ' ' ~ window.words
        }) -%}
    {%- endfor -%}
    {%- set sql = measure.agg ~ '(' ~ as_double(measure.expr or measure.name) ~ ')' -%}
    {{ return({'bases': [every_window_base(stem, sql, measure.agg)], 'features': features}) }}
{% endmacro %}

{#- The average in every window, a total by a count of rows, and each trend: the short window's average against the long one's. -#}
{% macro average_features(table, measure) %}
    {%- set stem = measure_stem(table, measure) ~ '_average' -%}
    {%- set words = 'average ' ~ measure_words(table, measure) -%}
    {%- set expression = measure.expr or measure.name -%}
    {%- set features = [] -%}
    {%- set mean = {} -%}
    {%- for window in feature_windows() -%}
        {%- do mean.update({window.name: stem ~ '_total_' ~ window.name ~ ' / nullif(' ~ stem ~ '_rows_' ~ window.name ~ ', 0)'}) -%}
        {%- do features.append({
            'name': stem ~ '_' ~ window.name, 'sql': mean[window.name], 'source_table': table, 'measure': measure.name,
            'window_days': window.days, 'words': words ~ ' ' ~ window.words
        }) -%}
    {%- endfor -%}
    {%- for trend in feature_trends() -%}
        {%- do features.append({
            'name': stem ~ '_' ~ trend.short ~ '_vs_' ~ trend.long, 'source_table': table, 'measure': measure.name,
            'sql': '(' ~ mean[trend.short] ~ ') / nullif(' ~ mean[trend.long] ~ ', 0)', 'window_days': trend.short_days,
            'words': words ~ ', last ' ~ trend.short_days ~ ' days against last ' ~ trend.long_days
        }) -%}
    {%- endfor -%}
    {{ return({
        'bases': [
            every_window_base(stem ~ '_total', 'sum(' ~ as_double(expression) ~ ')', 'sum'),
            every_window_base(stem ~ '_rows', 'count(' ~ expression ~ ')', 'sum')
        ],
        'features': features
    }) }}
{% endmacro %}

{#- How many rows have each of a dimension's accepted values. -#}
{% macro category_features(table, rows, dimension, values) %}
    {%- set bases = [] -%}
    {%- set features = [] -%}
    {%- for value in values -%}
        {%- set suffix = '_' ~ dimension.name ~ '_' ~ name_part(value) -%}
        {%- set literal = text_literal(value) if value is string else value -%}
        {%- do bases.append({
            'stem': rows.stem, 'suffix': suffix, 'roll': 'sum', 'windows': category_windows(),
            'sql': 'count(case when ' ~ (dimension.expr or dimension.name) ~ ' = ' ~ literal ~ ' then 1 end)'
        }) -%}
        {%- for window in feature_windows() if window.name in category_windows() -%}
            {%- set column = rows.stem ~ '_' ~ window.name ~ suffix -%}
            {%- do features.append({
                'name': column, 'sql': column, 'source_table': table, 'measure': rows.measure, 'window_days': window.days,
                'is_whole': true,
                'words': rows.words ~ ' with ' ~ dimension.name | replace('_', ' ') ~ ' ' ~ (value | string | replace('_', ' ')) ~ ' ' ~ window.words
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return({'bases': bases, 'features': features}) }}
{% endmacro %}

{#- How long ago the last and the first row was. -#}
{% macro recency_features(table, rows, time, event) %}
    {%- set bases = [] -%}
    {%- set features = [] -%}
    {%- for end, roll in [('last', 'max'), ('first', 'min')] -%}
        {%- do bases.append({
            'stem': table ~ '_' ~ end, 'suffix': '', 'roll': roll, 'windows': ['ever'],
            'sql': roll ~ '(cast(' ~ time ~ ' as date))'
        }) -%}
        {%- do features.append({
            'name': 'days_since_' ~ end ~ '_' ~ table, 'sql': dbt.datediff(table ~ '_' ~ end ~ '_ever', 'as_of_date', 'day'),
            'source_table': table, 'measure': rows.measure, 'window_days': none, 'is_whole': true,
            'words': 'days since the ' ~ end ~ ' ' ~ event
        }) -%}
    {%- endfor -%}
    {{ return({'bases': bases, 'features': features}) }}
{% endmacro %}

{#- What is aggregated per week and rolled over every window. -#}
{% macro every_window_base(stem, sql, roll) %}
    {{ return({
        'stem': stem, 'suffix': '', 'sql': sql, 'roll': roll, 'windows': feature_windows() | map(attribute='name') | list
    }) }}
{% endmacro %}

{% macro as_double(expression) %} {{ return('cast(' ~ expression ~ ' as ' ~ type_double() ~ ')') }} {% endmacro %}

{#- `tickets` and `tickets_reply_hours` give `reply_hours`: measure names are unique in a project, so they carry their table. -#}
{% macro own_name(measure, table) %}
    {{ return(measure[table | length + 1:] if measure.startswith(table ~ '_') else measure) }}
{% endmacro %}

{% macro name_part(value) %}
    {{ return(modules.re.sub('[^a-z0-9]+', '_', (value | string | lower)).strip('_')) }}
{% endmacro %}

{#- What the names of a measure's features begin with. -#}
{% macro measure_stem(table, measure) %}
    {{ return(table ~ '_' ~ own_name(measure.name, table)) }}
{% endmacro %}

{#- A measure in words. -#}
{% macro measure_words(table, measure) %}
    {{ return(measure.description or own_name(measure.name, table) | replace('_', ' ')) }}
{% endmacro %}
