with ratings as (
    {{ raw_columns(source('raw_zendesk', 'satisfaction_rating'), {
        'satisfaction_rating_id': ['id', 'string'],
        'ticket_id': ['ticket_id', 'string'],
        'person_key': ['requester_id', 'string'],
        'score': ['score', 'string'],
        'comment': ['comment', 'string'],
        'occurred_at': ['created_at', 'timestamp'],
        'known_at': ['created_at', 'timestamp'],
    }) }}
),
final as (
    select
        ratings.*,
        case score when 'good' then true when 'bad' then false end as is_good
    from ratings
)
select * from final
