{{ grows_by('page_view_key') }}

with records as (
    {{ union_staging('page_views', {
        'page_view_id': 'string',
        'visit_id': 'string',
        'anonymous_id': 'string',
        'path': 'string',
        'title': 'string',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
by_visitor as (
    select
        records.*,
        'anonymous id' as person_source,
        anonymous_id as person_key
    from records
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
final as (
    select
        by_visitor.source_system || ':' || by_visitor.page_view_id as page_view_key,
        by_visitor.page_view_id,
        by_visitor.visit_id,
        by_visitor.source_system,
        by_visitor.person_source,
        by_visitor.person_key,
        {{- attributed_columns('by_visitor', false, true) }}
        by_visitor.path,
        by_visitor.title,
        {{ page_kind('by_visitor.path') }} as page,
        {{- select_custom_columns('page_views', 'by_visitor') }}
        by_visitor.occurred_at,
        by_visitor.loaded_at
    from by_visitor
    {{- join_person('by_visitor', source='person_source') }}
    {{- only_new_or_relinked('by_visitor', false, true) }}
)
select * from final
