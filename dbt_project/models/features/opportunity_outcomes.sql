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
deals as (
    select distinct opportunity_id from snapshots
),
standing_wins as (
    {{ won_within(90, 'opportunity_id') }}
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
