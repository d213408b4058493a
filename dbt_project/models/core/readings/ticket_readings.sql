with tickets as (
    select * from {{ ref('tickets') }}
),
topics as (
    {{ scored_texts('ticket_class', {'ticket_id': 'string', 'predicted': 'string'}) }}
),
moods as (
    {{ scored_texts('ticket_mood', {'ticket_id': 'string', 'predicted': 'string'}) }}
),
final as (
    select
        tickets.ticket_id,
        tickets.source_system,
        tickets.account_id,
        tickets.recorded_account_id,
        tickets.person_id,
        tickets.recorded_person_id,
        topics.predicted as topic,
        moods.predicted as mood,
        case when moods.predicted = 'negative' then 1 when moods.predicted is not null then 0 end as negative_tickets,
        tickets.occurred_at,
        tickets.known_at
    from tickets
    left join topics on tickets.ticket_id = topics.ticket_id
    left join moods on tickets.ticket_id = moods.ticket_id
)
select * from final
