{#-
    The rows of a raw table, and the versions of its records that an export tells of without having them.

    An export of today's state has one row a record, whatever happened to it before. Its rows are known from the export
    on (`made_at`), all of them: the time of a record's last change would tell which records were still to change. Before
    that a record was there from its creation (`begins_at`, or `created_at`), with what does not change (`fixed`), and its
    own dates tell what became of it: each of `steps` is a version `at` a time, `when` that is so, with the `columns` that
    are known by it (our name: SQL over the record). A step that is not before the next one, or the export, has no version.

    `is_rebuilt` is true for all of these: nobody saw when such a version changed.

    Records that a full export lacks end by a last version with what `gone` says (our name: SQL; `vanished_at` is the time
    of that export). `key` is our name of the record's key.
-#}
{% macro rebuilt_versions(raw_table, columns, found, history, made_at, vanished) %}
    {%- set types = {} -%}
    {%- for name, (_, type) in columns.items() -%} {%- do types.update({name: sql_type(type)}) -%} {%- endfor -%}
    {%- for custom in custom_fields(columns, found) -%} {%- do types.update({custom.name: custom.type}) -%} {%- endfor -%}
    {%- set recorded = recorded_columns(raw_table, columns, found, history) -%}
    {%- set is_state = 'known_at <= ' ~ made_at if made_at else 'false' -%}
    {%- set first_step = {'at': history.begins_at or 'created_at', 'columns': history.begins_with or {}} -%}
    {%- set steps = [first_step] + (history.steps or []) -%}
    select
        {% for name in types -%}
        {% if name == 'known_at' and made_at -%} case when {{ is_state }} then {{ made_at }} else known_at end as known_at
        {%- else -%} {{ name }} {%- endif %},
        {% endfor -%}
        {{ is_state }} as is_rebuilt,
        loaded_at
    from ({{ recorded }}) as recorded
    {%- if made_at %}
    {%- for step in steps %}
    union all
    select
        {% for name, type in types.items() -%}
        {%- if name == 'known_at' -%} {{ time_of(step) }} as known_at,
        {% elif name in step.columns -%} cast({{ step.columns[name] }} as {{ type }}) as {{ name }},
        {% elif name in history.fixed -%} {{ name }},
        {% else -%} cast(null as {{ type }}) as {{ name }},
        {% endif -%}
        {%- endfor -%}
        true as is_rebuilt,
        loaded_at
    from ({{ recorded }}) as recorded
    where
        {{ is_state }}
        and {{ is_step(step, made_at) }}
        {%- for later in steps[loop.index:] %}
        and not ({{ is_step(later, made_at) }} and {{ time_of(later) }} <= {{ time_of(step) }})
        {%- endfor %}
    {%- endfor %}
    {%- endif %}
    {%- if vanished %}
    union all
    select
        {% for name, type in types.items() -%}
        {%- if name == 'known_at' -%} vanished_at as known_at,
        {% elif name in history.gone -%} cast({{ history.gone[name] }} as {{ type }}) as {{ name }},
        {% else -%} {{ name }},
        {% endif -%}
        {%- endfor -%}
        false as is_rebuilt,
        loaded_at
    from (
        select
            recorded.*,
            vanished.vanished_at,
            row_number() over (partition by recorded.{{ history.key }} order by recorded.known_at desc) as place
        from ({{ recorded }}) as recorded
        inner join {{ beside(raw_table, '_vanished') }} as vanished
            on cast(recorded.{{ history.key }} as {{ dbt.type_string() }}) = vanished.key
            and vanished.entity = {{ text_literal(raw_table.identifier) }}
    ) as ended
    where place = 1 and vanished_at > known_at
    {%- endif %}
{% endmacro %}

{% macro time_of(step) -%} cast({{ step.at }} as {{ dbt.type_timestamp() }}) {%- endmacro %}

{#- Whether a step of a record's history is one: it has a time, and that is before the export. -#}
{% macro is_step(step, made_at) -%}
    {{ step.at }} is not null and {{ time_of(step) }} < {{ made_at }} {%- if step.when %} and coalesce({{ step.when }}, false) {%- endif %}
{%- endmacro %}

{#- The time of the first export of an entity as SQL; none where its raw table has a history of its own. -#}
{% macro first_export_of(raw_table) %}
    {%- set noted = beside(raw_table, '_first_exports') -%}
    {%- if not execute or not columns_if_there(noted) -%} {{ return(none) }} {%- endif -%}
    {%- set rows = run_query('select made_at from ' ~ noted ~ ' where entity = ' ~ text_literal(raw_table.identifier)) -%}
    {{ return("cast('" ~ rows[0][0] ~ "' as " ~ dbt.type_timestamp() ~ ')' if rows | length else none) }}
{% endmacro %}

{#- Whether records of an entity are gone from its exports. -#}
{% macro has_vanished(raw_table) %}
    {%- set noted = beside(raw_table, '_vanished') -%}
    {%- if not execute or not columns_if_there(noted) -%} {{ return(false) }} {%- endif -%}
    {%- set query = 'select 1 from ' ~ noted ~ ' where entity = ' ~ text_literal(raw_table.identifier) ~ ' limit 1' -%}
    {{ return(run_query(query) | length > 0) }}
{% endmacro %}

{#- One of the loader's own tables in the schema of a raw table. -#}
{% macro beside(raw_table, name) %}
    {{ return(api.Relation.create(database=raw_table.database, schema=raw_table.schema, identifier=name)) }}
{% endmacro %}
