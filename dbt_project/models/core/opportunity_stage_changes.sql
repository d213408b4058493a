with records as (
    {{ union_staging('opportunity_stage_changes', {
        'stage_change_id': 'string',
        'opportunity_id': 'string',
        'stage': 'string',
        'amount': 'double',
        'stated_probability_percent': 'double',
        'close_date': 'date',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
opportunities as (
    select * from {{ ref('opportunities') }}
),
final as (
    select
        records.stage_change_id,
        records.opportunity_id,
        records.source_system,
        opportunities.account_id,
        opportunities.recorded_account_id,
        records.stage,
        lag(records.stage) over (
            partition by records.source_system, records.opportunity_id order by records.occurred_at, records.stage_change_id
        ) as previous_stage,
        records.amount * coalesce(opportunities.exchange_rate, 1.0) as amount,
        coalesce(opportunities.exchange_rate, 1.0) * (
            records.amount - lag(records.amount) over (
                partition by records.source_system, records.opportunity_id order by records.occurred_at, records.stage_change_id
            )
        ) as amount_change,
        opportunities.currency,
        records.stated_probability_percent,
        records.close_date,
        records.occurred_at,
        greatest(records.known_at, coalesce(opportunities.known_at, records.known_at)) as known_at
    from records
    left join opportunities
        on records.source_system = opportunities.source_system
        and records.opportunity_id = opportunities.opportunity_id
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('amount_change', 'stage_change_id') }} as amount_change_in_first_currency
    from final
)
select * from with_feature_amount
