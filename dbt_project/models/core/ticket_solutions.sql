with versions as (
    select * from {{ ref('ticket_versions') }}
    where solved_at is not null
),
ordered as (
    select
        versions.*,
        row_number() over (partition by source_system, ticket_id order by version) as place
    from versions
),
final as (
    select
        ticket_id as ticket_solution_id,
        ticket_id,
        source_system,
        account_id,
        recorded_account_id,
        person_id,
        recorded_person_id,
        priority,
        {{ dbt.datediff('created_at', 'solved_at', 'minute') }} / 60.0 as hours_to_solution,
        solved_at as occurred_at,
        known_at
    from ordered
    where place = 1
)
select * from final
