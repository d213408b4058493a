with comments as (
    {{ raw_columns(source('raw_zendesk', 'ticket_comment'), {
        'ticket_comment_id': ['id', 'string'],
        'ticket_id': ['ticket_id', 'string'],
        'author_key': ['author_id', 'string'],
        'body': ['body', 'string'],
        'is_public': ['public', 'boolean'],
        'occurred_at': ['created_at', 'timestamp'],
        'known_at': ['created_at', 'timestamp'],
    }) }}
)
select * from comments
