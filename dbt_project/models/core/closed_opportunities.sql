with versions as (
    select * from {{ ref('opportunity_versions') }}
    where is_closed
),
ordered as (
    select
        versions.*,
        row_number() over (partition by source_system, opportunity_id order by version) as place
    from versions
),
final as (
    select
        opportunity_id,
        source_system,
        account_id,
        recorded_account_id,
        case when is_won then 'won' else 'lost' end as result,
        amount,
        case when is_won then amount else 0 end as won_amount,
        currency,
        {{ dbt.datediff('created_at', 'closed_at', 'day') }} as days_open,
        closed_at as occurred_at,
        known_at
    from ordered
    where place = 1
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('won_amount', 'opportunity_id') }} as won_amount_in_first_currency
    from final
)
select * from with_feature_amount
