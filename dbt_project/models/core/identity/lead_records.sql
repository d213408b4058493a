{{ config(materialized='view') }}

with records as (
    {{ union_staging('leads', {
        'lead_id': 'string',
        'first_name': 'string',
        'last_name': 'string',
        'full_name': 'string',
        'email': 'string',
        'phone': 'string',
        'company': 'string',
        'title': 'string',
        'domain': 'string',
        'industry': 'string',
        'employee_count': 'bigint',
        'country': 'string',
        'city': 'string',
        'source': 'string',
        'status': 'string',
        'rating': 'string',
        'owner_id': 'string',
        'owner_name': 'string',
        'campaign_id': 'string',
        'is_converted': 'boolean',
        'is_closed': 'boolean',
        'converted_date': 'date',
        'converted_account_key': 'string',
        'converted_contact_key': 'string',
        'converted_opportunity_id': 'string',
        'is_deleted': 'boolean',
        'merged_into_key': 'string',
        'created_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
)
select * from records
