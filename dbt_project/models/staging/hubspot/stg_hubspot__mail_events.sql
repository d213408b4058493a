with events as (
    {{ raw_columns(source('raw_hubspot', 'email_event'), {
        'mail_event_id': ['id', 'string'],
        'email': ['recipient', 'string'],
        'type': ['type', 'string'],
        'mail_campaign_id': ['emailCampaignId', 'string'],
        'occurred_at': ['created', 'epoch_ms'],
        'received_at': ['receivedAt', 'epoch_ms'],
    }) }}
),
known_when_received as (
    select
        events.*,
        coalesce(received_at, occurred_at) as known_at
    from events
)
select * from known_when_received
