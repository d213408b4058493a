with scored as (
    {{ scored_between_snapshots('opportunity_snapshots', 'opportunity_id') }}
),
snapshots as (
    select
        opportunity_id,
        as_of_date
    from {{ ref('opportunity_snapshots') }}
    union all
    select
        opportunity_id,
        as_of_date
    from scored
),
wins as (
    select
        opportunity_id,
        cast(valid_from as date) as won_date,
        coalesce(cast(valid_to as date), date '9999-12-31') as won_until_date
    from {{ ref('opportunity_versions') }}
    where is_won and not coalesce(is_deleted, false)
),
next_wins as (
    select
        snapshots.opportunity_id,
        snapshots.as_of_date,
        min(wins.won_date) as won_date
    from snapshots
    inner join wins
        on snapshots.opportunity_id = wins.opportunity_id
        and snapshots.as_of_date < wins.won_date
        {#- a win that was taken back by the end of the horizon is none #}
        and wins.won_until_date > {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }}
    group by snapshots.opportunity_id, snapshots.as_of_date
),
final as (
    select
        snapshots.opportunity_id,
        snapshots.as_of_date,
        case
            when {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }} <= {{ as_of_date() }}
                then coalesce(next_wins.won_date <= {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }}, false)
        end as is_won_90d
    from snapshots
    left join next_wins
        on snapshots.opportunity_id = next_wins.opportunity_id and snapshots.as_of_date = next_wins.as_of_date
)
select * from final
