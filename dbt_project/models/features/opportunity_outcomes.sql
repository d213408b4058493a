with scored as (
    {{ scored_between_snapshots('opportunity_snapshots', 'opportunity_id') }}
),
snapshots as (
    select
        opportunity_id,
        as_of_date,
        currency
    from {{ ref('opportunity_snapshots') }}
    union all
    select
        opportunity_id,
        as_of_date,
        cast(null as {{ dbt.type_string() }}) as currency
    from scored
),
wins as (
    select
        opportunity_id,
        amount,
        currency,
        cast(valid_from as date) as won_date,
        coalesce(cast(valid_to as date), date '9999-12-31') as won_until_date
    from {{ ref('opportunity_versions') }}
    where is_won and not coalesce(is_deleted, false)
),
{#- a win that was taken back by the end of the horizon is none, and the amount is the one that stood then -#}
standing_wins as (
    select
        snapshots.opportunity_id,
        snapshots.as_of_date,
        max(case when coalesce(wins.currency, '') = coalesce(snapshots.currency, wins.currency, '') then wins.amount end) as won_amount
    from snapshots
    inner join wins
        on snapshots.opportunity_id = wins.opportunity_id
        and snapshots.as_of_date < wins.won_date
        and wins.won_date <= {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }}
        and wins.won_until_date > {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }}
    group by snapshots.opportunity_id, snapshots.as_of_date
),
final as (
    select
        snapshots.opportunity_id,
        snapshots.as_of_date,
        case
            when {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }} <= {{ as_of_date() }}
                then standing_wins.opportunity_id is not null
        end as is_won_90d,
        case
            when {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }} <= {{ as_of_date() }}
                then standing_wins.won_amount
        end as won_amount_90d
    from snapshots
    left join standing_wins
        on snapshots.opportunity_id = standing_wins.opportunity_id
        and snapshots.as_of_date = standing_wins.as_of_date
)
select * from final
