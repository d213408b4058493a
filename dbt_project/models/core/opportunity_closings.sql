with versions as (
    select
        opportunity_versions.*,
        case
            when is_deleted or not is_closed then 'open'
            when is_won then 'won'
            else 'lost'
        end as state,
        case when is_won and not is_deleted then amount else 0 end as standing_amount
    from {{ ref('opportunity_versions') }} as opportunity_versions
),
compared as (
    select
        versions.*,
        lag(state) over (partition by source_system, opportunity_id order by version) as previous_state,
        lag(standing_amount) over (partition by source_system, opportunity_id order by version) as previous_amount
    from versions
),
final as (
    select
        source_system || ':' || opportunity_id || ':' || cast(version as {{ dbt.type_string() }}) as opportunity_closing_id,
        opportunity_id,
        source_system,
        account_id,
        recorded_account_id,
        case
            when state = coalesce(previous_state, 'open') then 'corrected'
            when state = 'open' then 'withdrawn'
            else state
        end as result,
        amount,
        {#- an amount that is not known stays unknown: it is no amount of 0 -#}
        case when state = 'won' and standing_amount is null then null else standing_amount - coalesce(previous_amount, 0) end as won_amount,
        currency,
        case
            when state not in ('open', coalesce(previous_state, 'open'))
                then {{ dbt.datediff('created_at', 'closed_at', 'day') }}
        end as days_open,
        coalesce(closed_at, recorded_at) as occurred_at,
        known_at
    from compared
    where
        state <> coalesce(previous_state, 'open')
        or (state = 'won' and coalesce(standing_amount, 0) <> coalesce(previous_amount, 0))
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('won_amount', 'opportunity_closing_id') }} as won_amount_in_first_currency
    from final
)
select * from with_feature_amount
