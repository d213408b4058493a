with records as (
    {{ union_staging('satisfaction_ratings', {
        'satisfaction_rating_id': 'string',
        'ticket_id': 'string',
        'person_key': 'string',
        'is_good': 'boolean',
        'comment': 'free_text',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
tickets as (
    select * from {{ ref('tickets') }}
),
final as (
    select
        records.satisfaction_rating_id,
        records.ticket_id,
        records.source_system,
        tickets.account_id,
        tickets.recorded_account_id,
        tickets.person_id,
        tickets.recorded_person_id,
        records.is_good,
        records.comment,
        records.occurred_at,
        greatest(records.known_at, coalesce(tickets.known_at, records.known_at)) as known_at
    from records
    left join tickets
        on records.source_system = tickets.source_system and records.ticket_id = tickets.ticket_id
)
select * from final
