with records as (
    {{ union_staging('campaign_touches', {
        'campaign_touch_id': 'string',
        'campaign_id': 'string',
        'person_key': 'string',
        'status': 'string',
        'has_responded': 'boolean',
        'first_responded_date': 'date',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
ordered as (
    select
        records.*,
        case when coalesce(has_responded, false) then 'responded' else 'reached' end as type,
        row_number() over (partition by source_system, campaign_touch_id order by known_at) as version,
        row_number() over (
            partition by source_system, campaign_touch_id, coalesce(has_responded, false) order by known_at
        ) as place_of_type
    from records
),
touches as (
    select
        source_system,
        campaign_touch_id,
        campaign_id,
        person_key,
        'reached' as type,
        occurred_at,
        known_at
    from ordered
    where version = 1
    union all
    select
        source_system,
        campaign_touch_id,
        campaign_id,
        person_key,
        'responded' as type,
        cast(coalesce(first_responded_date, cast(known_at as date)) as {{ dbt.type_timestamp() }}) as occurred_at,
        known_at
    from ordered
    where type = 'responded' and place_of_type = 1
),
final as (
    select
        touches.campaign_touch_id || ':' || touches.type as campaign_touch_id,
        touches.campaign_id,
        touches.source_system,
        {{- attributed_columns('touches', false, true) }}
        touches.type,
        touches.occurred_at
    from touches
    {{- join_person('touches') }}
)
select * from final
