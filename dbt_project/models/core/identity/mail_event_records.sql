{{ config(materialized='view') }}

with records as (
    {{ union_staging('mail_events', {
        'mail_event_id': 'string',
        'email': 'string',
        'type': 'string',
        'mail_campaign_id': 'string',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
normalised as (
    select
        source_system,
        mail_event_id,
        email,
        type,
        mail_campaign_id,
        occurred_at,
        known_at,
        loaded_at
    from records
)
select * from normalised
