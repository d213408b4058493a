with sessions as (
    {{ raw_columns(source('raw_web', 'session'), {
        'visit_id': ['session_id', 'string'],
        'anonymous_id': ['anonymous_id', 'string'],
        'user_id': ['user_id', 'string'],
        'occurred_at': ['session_start', 'timestamp'],
        'ended_at': ['session_end', 'timestamp'],
        'received_at': ['received_at', 'timestamp'],
        'page_views': ['pageviews', 'bigint'],
        'landing_page': ['landing_page', 'string'],
        'referrer': ['referrer', 'string'],
        'utm_source': ['utm_source', 'string'],
        'utm_medium': ['utm_medium', 'string'],
        'utm_campaign': ['utm_campaign', 'string'],
        'country': ['country', 'string'],
        'device': ['device_category', 'string'],
    }) }}
),
known_when_received as (
    select
        sessions.*,
        case when user_id like '%_@_%' then user_id end as email,
        coalesce(received_at, ended_at, occurred_at) as known_at
    from sessions
)
select * from known_when_received
