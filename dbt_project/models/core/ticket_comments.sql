with records as (
    {{ union_staging('ticket_comments', {
        'ticket_comment_id': 'string',
        'ticket_id': 'string',
        'author_key': 'string',
        'body': 'free_text',
        'is_public': 'boolean',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
tickets as (
    select * from {{ ref('tickets') }}
),
person_link_periods as (
    select distinct
        source,
        identifier,
        linked_at
    from {{ ref('person_link_periods') }}
),
final as (
    select
        records.ticket_comment_id,
        records.ticket_id,
        records.source_system,
        tickets.account_id,
        tickets.recorded_account_id,
        tickets.person_id,
        tickets.recorded_person_id,
        case when person_link_periods.linked_at <= records.known_at then 'customer' else 'us' end as author,
        records.is_public,
        records.body,
        records.occurred_at,
        greatest(records.known_at, coalesce(tickets.known_at, records.known_at)) as known_at
    from records
    left join tickets
        on records.source_system = tickets.source_system and records.ticket_id = tickets.ticket_id
    left join person_link_periods
        on records.source_system = person_link_periods.source
        and records.author_key = person_link_periods.identifier
)
select * from final
