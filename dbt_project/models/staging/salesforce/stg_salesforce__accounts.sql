with accounts as (
    {{ raw_columns(source('raw_salesforce', 'account'), {
        'account_key': ['Id', 'string'],
        'account_name': ['Name', 'string'],
        'account_type': ['Type', 'string'],
        'industry': ['Industry', 'string'],
        'employee_count': ['NumberOfEmployees', 'bigint'],
        'annual_revenue': ['AnnualRevenue', 'double'],
        'website': ['Website', 'string'],
        'phone': ['Phone', 'string'],
        'country': ['BillingCountry', 'string'],
        'city': ['BillingCity', 'string'],
        'owner_id': ['OwnerId', 'string'],
        'owner_name': ['OwnerName', 'string'],
        'is_deleted': ['IsDeleted', 'boolean'],
        'merged_into_key': ['MasterRecordId', 'string'],
        'created_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }, history={
        'key': 'account_key',
        'fixed': ['account_key', 'account_name', 'website', 'country', 'city', 'created_at'],
        'gone': {'is_deleted': 'true'},
    }) }}
),
final as (
    select
        accounts.*,
        {{ website_domain('website') }} as domain,
        true as is_register
    from accounts
)
select * from final
