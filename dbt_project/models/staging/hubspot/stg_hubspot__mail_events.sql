with events as (
    {{ raw_columns(source('raw_hubspot', 'email_event'), {
        'mail_event_id': ['id', 'string'],
        'email': ['recipient', 'string'],
        'event_type': ['type', 'string'],
        'mail_campaign_id': ['emailCampaignId', 'string'],
        'subscription_status': ['portalSubscriptionStatus', 'string'],
        'occurred_at': ['created', 'epoch_ms'],
        'received_at': ['receivedAt', 'epoch_ms'],
    }) }}
),
final as (
    select
        events.*,
        case
            when lower(trim(event_type)) = 'unsubscribed' then 'unsubscribe'
            when lower(trim(event_type)) = 'statuschange' and lower(trim(subscription_status)) = 'unsubscribed' then 'unsubscribe'
            else lower(trim(event_type))
        end as type,
        coalesce(received_at, occurred_at) as known_at
    from events
)
select * from final
