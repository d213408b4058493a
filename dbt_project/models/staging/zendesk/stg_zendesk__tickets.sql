with tickets as (
    {{ raw_columns(source('raw_zendesk', 'ticket'), {
        'ticket_id': ['id', 'string'],
        'person_key': ['requester_id', 'string'],
        'account_key': ['organization_id', 'string'],
        'subject': ['subject', 'string'],
        'description': ['description', 'string'],
        'status': ['status', 'string'],
        'priority': ['priority', 'string'],
        'type': ['type', 'string'],
        'tags': ['tags', 'string'],
        'channel': ['via_channel', 'string'],
        'assignee_id': ['assignee_id', 'string'],
        'created_at': ['created_at', 'timestamp'],
        'solved_at': ['solved_at', 'timestamp'],
        'known_at': ['updated_at', 'timestamp'],
    }) }}
)
select * from tickets
