with records as (
    {{ union_staging('contacts', {
        'contact_key': 'string',
        'account_key': 'string',
        'first_name': 'string',
        'last_name': 'string',
        'full_name': 'string',
        'email': 'string',
        'phone': 'string',
        'title': 'string',
        'company': 'string',
        'country': 'string',
        'city': 'string',
        'twitter_handle': 'string',
        'linkedin_profile': 'string',
        'external_key': 'string',
        'external_source': 'string',
        'merged_into_key': 'string',
        'is_own_staff': 'boolean',
        'is_deleted': 'boolean',
        'created_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
customers_staff as (
    select * from records
    where not coalesce(is_own_staff, false)
)
select * from customers_staff
