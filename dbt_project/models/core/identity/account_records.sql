with records as (
    {{ union_staging('accounts', {
        'account_key': 'string',
        'account_name': 'string',
        'account_type': 'string',
        'domain': 'string',
        'email': 'string',
        'phone': 'string',
        'industry': 'string',
        'employee_count': 'bigint',
        'annual_revenue': 'double',
        'country': 'string',
        'city': 'string',
        'owner_id': 'string',
        'owner_name': 'string',
        'plan': 'string',
        'seats': 'bigint',
        'currency': 'currency',
        'external_key': 'string',
        'external_source': 'string',
        'merged_into_key': 'string',
        'is_register': 'boolean',
        'is_deleted': 'boolean',
        'created_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
)
select * from records
