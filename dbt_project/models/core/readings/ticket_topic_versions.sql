with readings as (
    select * from {{ ref('ticket_readings') }}
    where recorded_account_id is not null and topic is not null
),
ordered as (
    select
        recorded_account_id,
        source_system,
        topic as latest_ticket_topic,
        known_at as valid_from,
        row_number() over (partition by recorded_account_id, known_at order by occurred_at desc, ticket_id desc) as place
    from readings
),
final as (
    select
        recorded_account_id,
        source_system,
        latest_ticket_topic,
        valid_from,
        lead(valid_from) over (partition by recorded_account_id order by valid_from) as valid_to
    from ordered
    where place = 1
)
select * from final
