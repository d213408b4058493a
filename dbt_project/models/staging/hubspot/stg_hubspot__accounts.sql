with companies as (
    {{ raw_columns(source('raw_hubspot', 'company'), {
        'account_key': ['id', 'string'],
        'account_name': ['name', 'string'],
        'website': ['domain', 'string'],
        'industry': ['industry', 'string'],
        'employee_count': ['numberofemployees', 'bigint'],
        'annual_revenue': ['annualrevenue', 'double'],
        'phone': ['phone', 'string'],
        'country': ['country', 'string'],
        'city': ['city', 'string'],
        'owner_id': ['hubspot_owner_id', 'string'],
        'is_deleted': ['archived', 'boolean'],
        'created_at': ['createdate', 'timestamp'],
        'known_at': ['hs_lastmodifieddate', 'timestamp'],
    }, history={
        'key': 'account_key',
        'fixed': ['account_key', 'account_name', 'website', 'country', 'city', 'created_at'],
        'gone': {'is_deleted': 'true'},
    }) }}
),
final as (
    select
        companies.*,
        {{ name_not_number('owner_id') }} as owner_name,
        {{ website_domain('website') }} as domain,
        true as is_register
    from companies
)
select * from final
