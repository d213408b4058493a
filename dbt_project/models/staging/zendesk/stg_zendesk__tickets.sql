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
    }, history={
        'key': 'ticket_id',
        'fixed': ['ticket_id', 'person_key', 'account_key', 'subject', 'description', 'channel', 'created_at'],
        'steps': [{
            'at': 'greatest(solved_at, created_at)',
            'when': 'solved_at is not null',
            'columns': {'status': "'solved'", 'solved_at': 'solved_at'},
        }],
        'gone': {'status': "'deleted'"},
    }) }}
)
select * from tickets
