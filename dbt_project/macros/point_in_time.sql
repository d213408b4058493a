{#-
    Point-in-time features of an entity, written from the semantic models of core.

    `spine` is a relation (a CTE of the model) with one row per `<entity>_id` and `as_of_date`; the result has the same rows
    with the columns in `carried`, the entity's attributes as they were known, a column for every planned feature of every
    table of events that has the entity as a foreign key, and the same for its parents, prefixed `<parent>_`. A parent that
    has a snapshot model of its own is read from there (`parents={'account': ref('account_snapshots')}`), any other is
    computed in place, unless it is `left_out`; one hop, no further. The model calls `read_core_models()` before, so that dbt knows its parents, and
    is called `features/<entity>_snapshots`: by this name the catalogue finds it.

    How: each table's events are added up per entity and week, an entity gets a row for each week from its first such event
    on, and window functions over those rows give the windows. One grid for all tables would be nearly twice as many rows:
    few entities have events of every kind from the start. Dates off the weekly grid, and the few new dates of a daily run,
    are plain aggregates. A feature has four bytes (counts and days are integers, the rest floats): hundreds of columns by
    two years of weeks stay small.

    Merges: where core has `<entity>_merges`, the events of an entity that was merged count for the survivor from the day on
    on which the merge was known, at the time when they were known themselves. Until then nothing changes: the survivor's
    rows before the merge and after it are two segments.
-#}
{% macro point_in_time(entity, spine, carried=[], parents={}, has_parents=true, left_out=[]) %}
    {%- if not execute -%} {{ return('select * from ' ~ spine) }} {%- endif -%}
    {%- if has_parents and not (model.name == entity ~ '_snapshots' and model.name in var('snapshot_models')) -%}
        {{ exceptions.raise_compiler_error(
            model.original_file_path ~ " computes features of the entity '" ~ entity ~ "' but features.catalogue does not find it;"
            ~ " call it models/features/" ~ entity ~ "_snapshots.sql"
        ) }}
    {%- endif -%}
    {%- set id = entity ~ '_id' -%}
    {%- set tables = event_tables(entity) -%}
    {%- set versions = attribute_tables(entity, taken=carried) -%}
    {%- set parent_keys = parents_of(versions) if has_parents else {} -%}
    {%- for parent in left_out -%} {%- do parent_keys.pop(parent, none) -%} {%- endfor -%}
    {%- set dates = snapshot_dates() -%}
    with lineage as (
        {{ lineage(entity, spine) }}
    ),
    {%- if tables and dates.has_grid %}
    {{- weekly_features(id, spine, tables, carried, dates) }},
    {%- endif %}
    {%- if tables and dates.points %}
    {{- single_day_features(id, spine, tables, carried, dates) }},
    {%- endif %}
    computed as (
        {%- if tables %}
        {%- if dates.has_grid %}
        select * from weekly
        {{ 'union all' if dates.points }}
        {%- endif %}
        {%- if dates.points %}
        select * from single_days
        {%- endif %}
        {%- else %}
        select {{ ([id, 'as_of_date'] + carried) | join(', ') }} from {{ spine }}
        {%- endif %}
    ),
    {%- for parent, key in parent_keys.items() %}
    {{ parent }}_merge_steps as (
        {{ merge_steps(parent) }}
    ),
    {{ parent }}_of as (
        select
            spine_rows.{{ id }},
            spine_rows.as_of_date,
            coalesce(merge_steps.{{ parent }}_id, versions.{{ key.column }}) as {{ parent }}_id
        from {{ spine }} as spine_rows
        inner join {{ ref(key.model) }} as versions
            on {{ known_version('spine_rows', id, 'versions', key) }}
        left join {{ parent }}_merge_steps as merge_steps
            on versions.{{ key.column }} = merge_steps.recorded_id
            and spine_rows.as_of_date >= merge_steps.counts_from
            and spine_rows.as_of_date < merge_steps.counts_to
        where versions.{{ key.column }} is not null
    ),
    {%- if parent not in parents %}
    {{ parent }}_spine as (
        select distinct {{ parent }}_id, as_of_date
        from {{ parent }}_of
    ),
    {{ parent }}_features as (
        {{ point_in_time(parent, parent ~ '_spine', has_parents=false) }}
    ),
    {%- endif %}
    {%- endfor %}
    features as (
        select
            {{ ([id, 'as_of_date'] + carried) | join(', ') }}
            {%- for table in tables %}
            {%- for feature in table.features %},
            cast({{ feature.sql }} as {{ dbt.type_int() if feature.is_whole else dbt.type_float() }}) as {{ feature.name }}
            {%- endfor %}
            {%- endfor %}
        from computed
    ),
    final as (
        select
            features.{{ id }},
            features.as_of_date
            {%- for column in carried %},
            features.{{ column }}
            {%- endfor %}
            {%- for table in versions %}
            {%- for attribute in table.attributes %},
            {{ table.name }}.{{ attribute.sql }} as {{ attribute.name }}
            {%- endfor %}
            {%- endfor %}
            {%- for table in tables %}
            {%- for feature in table.features %},
            features.{{ feature.name }}
            {%- endfor %}
            {%- endfor %}
            {%- for parent in parent_keys %}
            {%- for column in parent_columns(parent, parents) %},
            {{ parent }}_features.{{ column }} as {{ prefixed(column, parent) }}
            {%- endfor %}
            {%- endfor %}
        from features
        {%- for table in versions %}
        left join {{ ref(table.model) }} as {{ table.name }}
            on {{ known_version('features', id, table.name, table) }}
        {%- endfor %}
        {%- for parent in parent_keys %}
        left join {{ parent }}_of
            on features.{{ id }} = {{ parent }}_of.{{ id }} and features.as_of_date = {{ parent }}_of.as_of_date
        left join {{ parents[parent] or parent ~ '_features' }} as {{ parent }}_features
            on {{ parent }}_of.{{ parent }}_id = {{ parent }}_features.{{ parent }}_id
            and {{ parent }}_of.as_of_date = {{ parent }}_features.as_of_date
        {%- endfor %}
    )
    select * from final
{% endmacro %}

{#- Join condition: the version of an entity that was known at the end of `as_of_date`. Without an `or`, so that it hashes. -#}
{% macro known_version(rows, id, versions, table) -%}
    {{ rows }}.{{ id }} = {{ versions }}.{{ table.key }}
    and {{ is_known_at(rows ~ '.as_of_date', versions, table.start, table.end) }}
{%- endmacro %}

{% macro is_known_at(as_of_date, versions, start='valid_from', end='valid_to') -%}
    cast({{ versions }}.{{ start }} as date) <= {{ as_of_date }}
    and coalesce(cast({{ versions }}.{{ end }} as date), date '9999-12-31') > {{ as_of_date }}
{%- endmacro %}

{#- Where an entity's parents stand: {parent: {model, key, start, end, column}}, from the first table of versions that names them. -#}
{% macro parents_of(versions) %}
    {%- set found = {} -%}
    {%- for table in versions -%}
        {%- for parent, column in table.parents.items() if parent not in found -%}
            {%- do found.update({parent: {'model': table.model, 'key': table.key, 'start': table.start, 'end': table.end, 'column': column}}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- The columns that a parent gives: all of its snapshot model's, or those that are computed in place. -#}
{% macro parent_columns(parent, parents) %}
    {%- set names = [] -%}
    {%- if parents.get(parent) -%}
        {%- for column in columns_of(parents[parent]) if column.name not in [parent ~ '_id', 'as_of_date'] -%}
            {%- do names.append(column.name) -%}
        {%- endfor -%}
    {%- else -%}
        {%- for table in attribute_tables(parent) -%}
            {%- for attribute in table.attributes -%} {%- do names.append(attribute.name) -%} {%- endfor -%}
        {%- endfor -%}
        {%- for table in event_tables(parent) -%}
            {%- for feature in table.features -%} {%- do names.append(feature.name) -%} {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set worth = [] -%}
    {%- for name in names if is_worth_of_parent(name, parent in parents) -%} {%- do worth.append(name) -%} {%- endfor -%}
    {{ return(worth) }}
{% endmacro %}

{% macro prefixed(column, parent) %}
    {{ return(column if column.startswith(parent ~ '_') else parent ~ '_' ~ column) }}
{% endmacro %}

{#- Recorded ids that were merged away and whom they stand for when: recorded_id, step, <entity>_id, counts_from, counts_to. -#}
{% macro merge_steps(entity) %}
    {%- set id = entity ~ '_id' -%}
    {%- set merges = entity ~ '_merges' -%}
    {%- if merges in var('core_models') %}
    with recursive steps as (
        select
            {{ id }} as recorded_id,
            surviving_{{ id }} as {{ id }},
            cast(known_at as date) as counts_from,
            1 as step
        from {{ ref(merges) }}
        union all
        select
            steps.recorded_id,
            merges.surviving_{{ id }} as {{ id }},
            greatest(steps.counts_from, cast(merges.known_at as date)) as counts_from,
            steps.step + 1 as step
        from steps
        inner join {{ ref(merges) }} as merges on steps.{{ id }} = merges.{{ id }}
    )
    select
        steps.*,
        coalesce(lead(counts_from) over (partition by recorded_id order by step), date '9999-12-31') as counts_to
    from steps
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as recorded_id,
        cast(null as {{ dbt.type_string() }}) as {{ id }},
        cast(null as date) as counts_from,
        0 as step,
        cast(null as date) as counts_to
    where false
    {%- endif %}
{% endmacro %}

{#- Whose recorded events count for whom from when: every entity's own from the start, those of a merged one from the merge on. -#}
{% macro lineage(entity, spine) %}
    {%- set id = entity ~ '_id' -%}
    with reaches as (
        select
            {{ id }},
            max(as_of_date) as last_as_of
        from {{ spine }}
        group by {{ id }}
    ),
    merge_steps as (
        {{ merge_steps(entity) }}
    )
    select
        {{ id }},
        {{ id }} as recorded_id,
        date '1900-01-01' as counts_from,
        last_as_of
    from reaches
    union all
    select
        reaches.{{ id }},
        merge_steps.recorded_id,
        merge_steps.counts_from,
        reaches.last_as_of
    from reaches
    inner join merge_steps on reaches.{{ id }} = merge_steps.{{ id }}
    where merge_steps.counts_from <= reaches.last_as_of
{% endmacro %}

{#- The weekly grid: `weekly` has the rows of the spine that are Sundays, with a column for every base and window. -#}
{% macro weekly_features(id, spine, tables, carried, dates) %}
    {%- set windows = feature_windows() %}
    segment_starts as (
        select distinct {{ id }}, counts_from, last_as_of
        from lineage
    ),
    segments as (
        select
            {{ id }},
            cast(row_number() over (order by {{ id }}, counts_from) as integer) as segment,
            counts_from,
            coalesce(lead(counts_from) over (partition by {{ id }} order by counts_from), date '9999-12-31') as counts_to,
            {{ week_number('last_as_of') }} as last_spine_week
        from segment_starts
    ),
    recorded as (
        select
            segments.segment,
            lineage.recorded_id
        from segments
        inner join lineage
            on segments.{{ id }} = lineage.{{ id }} and lineage.counts_from <= segments.counts_from
    ),
    weeks as (
        select cast(number as integer) as week
        from ({{ integers(8192) }}) as numbers
    ),
    spine_weeks as (
        select
            segments.segment,
            {{ week_number('spine_rows.as_of_date') }} as week,
            spine_rows.*
        from {{ spine }} as spine_rows
        inner join segments
            on spine_rows.{{ id }} = segments.{{ id }}
            and spine_rows.as_of_date >= segments.counts_from
            and spine_rows.as_of_date < segments.counts_to
        where spine_rows.as_of_date = {{ week_end(week_number('spine_rows.as_of_date')) }}
    ),
    {%- for table in tables %}
    {{ table.name }}_weeks as (
        select
            recorded.segment,
            {{ week_number('events.' ~ table.time) }} as week
            {%- for base in table.bases %},
            {{ small(base) }} as {{ base.stem }}{{ base.suffix }}
            {%- endfor %}
        from {{ ref(table.model) }} as events
        inner join recorded on events.{{ table.key }} = recorded.recorded_id
        where cast(events.{{ table.time }} as date) <= {{ date_literal(dates.run_day) }}
        group by recorded.segment, {{ week_number('events.' ~ table.time) }}
    ),
    {{ table.name }}_spans as (
        select
            segments.segment,
            segments.last_spine_week,
            min({{ table.name }}_weeks.week) as first_week
        from {{ table.name }}_weeks
        inner join segments on {{ table.name }}_weeks.segment = segments.segment
        group by segments.segment, segments.last_spine_week
    ),
    {{ table.name }}_grid as (
        select
            spans.segment,
            weeks.week
            {%- for base in table.bases %},
            {{ table.name }}_weeks.{{ base.stem }}{{ base.suffix }}
            {%- endfor %}
        from {{ table.name }}_spans as spans
        inner join weeks on weeks.week >= spans.first_week and weeks.week <= spans.last_spine_week
        left join {{ table.name }}_weeks
            on spans.segment = {{ table.name }}_weeks.segment and weeks.week = {{ table.name }}_weeks.week
    ),
    {{ table.name }}_windows as (
        select
            segment,
            week
            {%- for base in table.bases %}
            {%- for window in windows if window.name in base.windows %},
            {{ windowed_base(base, window) }} as {{ base.stem }}_{{ window.name }}{{ base.suffix }}
            {%- endfor %}
            {%- endfor %}
        from {{ table.name }}_grid
        window
            {%- for window in windows %}
            last_{{ window.name }} as (partition by segment order by week rows between {{ 'unbounded' if window.rows is none else window.rows }} preceding and current row){{ ',' if not loop.last }}
            {%- endfor %}
    ),
    {%- endfor %}
    weekly as (
        select
            {%- for column in [id, 'as_of_date'] + carried %}
            spine_weeks.{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
            {%- for table in tables %}
            {%- for base in table.bases %}
            {%- for window in windows if window.name in base.windows %}
            {%- set column = base.stem ~ '_' ~ window.name ~ base.suffix %},
            {{ nothing_is_zero(base, column) }} as {{ column }}
            {%- endfor %}
            {%- endfor %}
            {%- endfor %}
        from spine_weeks
        {%- for table in tables %}
        left join {{ table.name }}_windows
            on spine_weeks.segment = {{ table.name }}_windows.segment and spine_weeks.week = {{ table.name }}_windows.week
        {%- endfor %}
    )
{%- endmacro %}

{#- What is added up per week, in four bytes: this is what a large build keeps in memory. -#}
{% macro small(base) -%}
    {%- if base.windows == ['ever'] -%} {{ base.sql }}
    {%- elif base.sql.startswith('count(') -%} cast({{ base.sql }} as integer)
    {%- else -%} cast({{ base.sql }} as {{ dbt.type_float() }})
    {%- endif -%}
{%- endmacro %}

{% macro windowed_base(base, window) -%}
    {%- set column = base.stem ~ base.suffix -%}
    {%- set rolled = column if window.rows == 0 else base.roll ~ '(' ~ column ~ ') over last_' ~ window.name -%}
    {%- if base.windows == ['ever'] -%} {{ rolled }} {%- else -%} cast({{ rolled }} as {{ dbt.type_float() }}) {%- endif -%}
{%- endmacro %}

{#- Nothing happened: a sum is 0, a minimum or a maximum is unknown. -#}
{% macro nothing_is_zero(base, column) -%}
    {%- if base.roll == 'sum' -%} coalesce({{ column }}, 0) {%- else -%} {{ column }} {%- endif -%}
{%- endmacro %}

{#- Single dates: `single_days` has the rows of the spine at `dates.points`, with the same columns as `weekly`. -#}
{% macro single_day_features(id, spine, tables, carried, dates) %}
    {%- set windows = feature_windows() -%}
    {%- set ages = windows | selectattr('days') | list %}
    point_rows as (
        select {{ ([id, 'as_of_date'] + carried) | join(', ') }}
        from {{ spine }}
        where as_of_date in ({% for day in dates.points %}{{ date_literal(day) }}{{ ', ' if not loop.last }}{% endfor %})
    ),
    recorded_at_points as (
        select
            point_rows.{{ id }} as entity_id,
            point_rows.as_of_date,
            lineage.recorded_id
        from point_rows
        inner join lineage
            on point_rows.{{ id }} = lineage.{{ id }} and lineage.counts_from <= point_rows.as_of_date
    ),
    {%- for table in tables %}
    {%- set age = dbt.datediff('cast(events.' ~ table.time ~ ' as date)', 'recorded_at_points.as_of_date', 'day') -%}
    {%- set shortest_window %}
            case
                {%- for window in ages %}
                when {{ age }} < {{ window.days }} then {{ window.days }}
                {%- endfor %}
                else 1000000
            end
    {%- endset %}
    {{ table.name }}_by_age as (
        select
            recorded_at_points.entity_id,
            recorded_at_points.as_of_date,
            {{ shortest_window }} as age
            {%- for base in table.bases %},
            {{ base.sql }} as {{ base.stem }}{{ base.suffix }}
            {%- endfor %}
        from {{ ref(table.model) }} as events
        inner join recorded_at_points on events.{{ table.key }} = recorded_at_points.recorded_id
        where cast(events.{{ table.time }} as date) <= recorded_at_points.as_of_date
        group by recorded_at_points.entity_id, recorded_at_points.as_of_date, {{ shortest_window }}
    ),
    {{ table.name }}_at_points as (
        select
            entity_id,
            as_of_date
            {%- for base in table.bases %}
            {%- for window in windows if window.name in base.windows %},
            {{ base.roll }}({% if window.days %}case when age <= {{ window.days }} then {{ base.stem }}{{ base.suffix }} end{% else %}{{ base.stem }}{{ base.suffix }}{% endif %}) as {{ base.stem }}_{{ window.name }}{{ base.suffix }}
            {%- endfor %}
            {%- endfor %}
        from {{ table.name }}_by_age
        group by entity_id, as_of_date
    ),
    {%- endfor %}
    single_days as (
        select
            point_rows.*
            {%- for table in tables %}
            {%- for base in table.bases %}
            {%- for window in windows if window.name in base.windows %}
            {%- set column = base.stem ~ '_' ~ window.name ~ base.suffix %},
            {% if base.roll == 'sum' -%} cast(coalesce({{ column }}, 0) as {{ dbt.type_float() }})
            {%- elif base.windows == ['ever'] -%} {{ column }}
            {%- else -%} cast({{ column }} as {{ dbt.type_float() }})
            {%- endif %} as {{ column }}
            {%- endfor %}
            {%- endfor %}
            {%- endfor %}
        from point_rows
        {%- for table in tables %}
        left join {{ table.name }}_at_points
            on point_rows.{{ id }} = {{ table.name }}_at_points.entity_id
            and point_rows.as_of_date = {{ table.name }}_at_points.as_of_date
        {%- endfor %}
    )
{%- endmacro %}
