with scored as (
    {{ scored_between_snapshots('ticket_snapshots', 'ticket_id') }}
),
snapshots as (
    select
        ticket_id,
        as_of_date
    from {{ ref('ticket_snapshots') }}
    union all
    select
        ticket_id,
        as_of_date
    from scored
),
versions as (
    select * from {{ ref('ticket_versions') }}
),
standing as (
    select
        snapshots.ticket_id,
        snapshots.as_of_date,
        cast({{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }} as date) as horizon_date,
        versions.recorded_account_id as account_id,
        {{ place_of_priority('versions.priority') }} as priority_place,
        {{ dbt.dateadd('hour', var('late_ticket_hours'), 'coalesce(versions.created_at, versions.valid_from)') }} as late_at
    from snapshots
    left join versions
        on snapshots.ticket_id = versions.ticket_id
        and {{ is_known_at('snapshots.as_of_date', 'versions') }}
),
{#- what was done with the ticket in the 90 days: the highest priority that it got, and its first end -#}
later as (
    select
        standing.ticket_id,
        standing.as_of_date,
        max({{ place_of_priority('versions.priority') }}) as highest_place,
        min(
            case when not ({{ is_open_ticket('versions') }}) then coalesce(versions.solved_at, versions.valid_from) end
        ) as ended_at
    from standing
    inner join versions
        on standing.ticket_id = versions.ticket_id
        and cast(versions.valid_from as date) > standing.as_of_date
        and cast(versions.valid_from as date) <= standing.horizon_date
    group by standing.ticket_id, standing.as_of_date
),
bad_ratings as (
    select distinct
        standing.ticket_id,
        standing.as_of_date
    from standing
    inner join {{ ref('satisfaction_ratings') }} as ratings
        on standing.ticket_id = ratings.ticket_id
        and cast(ratings.known_at as date) > standing.as_of_date
        and cast(ratings.known_at as date) <= standing.horizon_date
    where not ratings.is_good
),
companies as (
    select distinct
        account_id,
        as_of_date
    from standing
    where account_id is not null
),
next_stops as (
    {{ next_stops('companies') }}
),
happened as (
    select
        standing.ticket_id,
        standing.as_of_date,
        standing.horizon_date,
        {{ dbt.dateadd('day', var('churn_gap_days'), 'standing.horizon_date') }} as stops_known_date,
        coalesce(later.highest_place > standing.priority_place, false) as is_escalated,
        bad_ratings.ticket_id is not null as is_rated_bad,
        coalesce(next_stops.stopped_date <= standing.horizon_date, false) as is_churned,
        coalesce(later.ended_at > standing.late_at, true) as is_solved_late
    from standing
    left join later
        on standing.ticket_id = later.ticket_id and standing.as_of_date = later.as_of_date
    left join bad_ratings
        on standing.ticket_id = bad_ratings.ticket_id and standing.as_of_date = bad_ratings.as_of_date
    left join next_stops
        on standing.account_id = next_stops.account_id and standing.as_of_date = next_stops.as_of_date
),
{#- of the whole nothing is known before all of its parts are: those that are known at once are the ones that happened -#}
final as (
    select
        ticket_id,
        as_of_date,
        case when horizon_date <= {{ as_of_date() }} then is_escalated end as is_escalated_90d,
        case when horizon_date <= {{ as_of_date() }} then is_rated_bad end as is_rated_bad_90d,
        case when stops_known_date <= {{ as_of_date() }} then is_churned end as is_churned_90d,
        case when horizon_date <= {{ as_of_date() }} then is_solved_late end as is_solved_late_90d,
        case
            when stops_known_date <= {{ as_of_date() }}
                then is_escalated or is_rated_bad or is_churned or is_solved_late
        end as is_important_90d
    from happened
)
select * from final
