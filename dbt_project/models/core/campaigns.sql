with records as (
    {{ union_staging('campaigns', {
        'campaign_id': 'string',
        'campaign_name': 'string',
        'type': 'string',
        'status': 'string',
        'start_date': 'date',
        'end_date': 'date',
        'budgeted_cost': 'double',
        'actual_cost': 'double',
        'is_active': 'boolean',
        'created_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
ordered as (
    select
        records.*,
        min(known_at) over (partition by source_system, campaign_id) as first_known_at,
        row_number() over (partition by source_system, campaign_id order by known_at desc) as place_from_last
    from records
),
final as (
    select
        campaign_id,
        source_system,
        campaign_name,
        {{ campaign_kind('type') }} as type,
        status,
        start_date,
        end_date,
        budgeted_cost,
        actual_cost,
        is_active,
        {{- select_custom_columns('campaigns', 'ordered') }}
        created_at,
        first_known_at as known_at
    from ordered
    where place_from_last = 1
)
select * from final
