{{ config(materialized='view') }}

with records as (
    {{ union_staging('form_submissions', {
        'form_submission_id': 'string',
        'form_id': 'string',
        'form_title': 'string',
        'page_url': 'string',
        'email': 'string',
        'anonymous_id': 'string',
        'occurred_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
normalised as (
    select
        source_system,
        form_submission_id,
        form_id,
        form_title,
        page_url,
        email,
        anonymous_id,
        occurred_at,
        known_at,
        loaded_at
    from records
)
select * from normalised
