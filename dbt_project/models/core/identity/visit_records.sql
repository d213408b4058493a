{{ config(materialized='view') }}

with records as (
    {{ union_staging('visits', {
        'visit_id': 'string',
        'anonymous_id': 'string',
        'email': 'string',
        'occurred_at': 'timestamp',
        'ended_at': 'timestamp',
        'page_views': 'bigint',
        'landing_page': 'string',
        'referrer': 'string',
        'utm_source': 'string',
        'utm_medium': 'string',
        'utm_campaign': 'string',
        'country': 'string',
        'device': 'string',
        'known_at': 'timestamp',
    }) }}
)
select * from records
