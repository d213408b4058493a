{#-
    What every column of the snapshot tables means, in words. The folder tree says which there are
    (`var('snapshot_models')`): `<entity>_snapshots`. What the semantic models do not plan is described by the model's own YAML.
-#}
{% macro feature_catalogue() %}
    {%- set snapshots = {} -%}
    {%- for name in var('snapshot_models') -%}
        {%- do snapshots.update({name.removesuffix('_snapshots'): ref(name)}) -%}
    {%- endfor -%}
    {%- set rows = [] -%}
    {%- if execute -%}
        {%- set described = {} -%}
        {%- for entity, snapshot in snapshots.items() -%}
            {%- do described.update({entity: described_features(entity, snapshot.identifier)}) -%}
        {%- endfor -%}
        {%- for entity, snapshot in snapshots.items() -%}
            {%- set known = dict(described[entity]) -%}
            {%- for table in attribute_tables(entity) -%}
                {%- for parent in table.parents -%}
                    {%- if parent not in described -%}
                        {%- do described.update({parent: described_features(parent, none)}) -%}
                    {%- endif -%}
                    {%- for name, feature in described[parent].items() if prefixed(name, parent) not in known -%}
                        {%- do known.update({prefixed(name, parent): dict(feature, words=parent ~ ': ' ~ feature.words)}) -%}
                    {%- endfor -%}
                {%- endfor -%}
            {%- endfor -%}
            {%- for column in columns_of(snapshot) if column.name not in [entity ~ '_id', 'as_of_date'] -%}
                {%- set feature = known.get(column.name, {'words': column.name | replace('_', ' ')}) -%}
                {%- do rows.append([
                    column.name, snapshot.identifier, feature.source_table or '', feature.measure or '', feature.window_days or '',
                    feature.words, 'true' if feature.measure or feature.is_known_in_time else ''
                ]) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    select
        cast(feature as {{ dbt.type_string() }}) as feature,
        cast(snapshot as {{ dbt.type_string() }}) as snapshot,
        cast(nullif(source_table, '') as {{ dbt.type_string() }}) as source_table,
        cast(nullif(measure, '') as {{ dbt.type_string() }}) as measure,
        cast(nullif(window_days, '') as integer) as window_days,
        cast(description as {{ dbt.type_string() }}) as description,
        is_known_in_time = 'true' as is_known_in_time
    from (
        values {{ text_rows(rows + [[''] * 7]) }}
    ) as listed (feature, snapshot, source_table, measure, window_days, description, is_known_in_time)
    where feature <> ''
{% endmacro %}

{#- {feature: {words, source_table, measure, window_days}} of an entity: planned features, attributes, hand-written columns. -#}
{% macro described_features(entity, model_name) %}
    {%- set known = {} -%}
    {%- for table in attribute_tables(entity) -%}
        {%- for attribute in table.attributes -%} {%- do known.update({attribute.name: attribute}) -%} {%- endfor -%}
    {%- endfor -%}
    {%- for table in event_tables(entity) -%}
        {%- for feature in table.features -%} {%- do known.update({feature.name: feature}) -%} {%- endfor -%}
    {%- endfor -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == model_name -%}
        {%- for column in node.columns.values() if column.description and column.name not in [entity ~ '_id', 'as_of_date'] -%}
            {%- do known.update({column.name: {
                'words': column.description.rstrip('.'), 'source_table': none, 'measure': none, 'window_days': none,
                'is_known_in_time': column.meta.get('is_known_in_time', false)
            }}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(known) }}
{% endmacro %}
