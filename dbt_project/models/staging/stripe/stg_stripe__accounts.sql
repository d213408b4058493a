with customers as (
    {{ raw_columns(source('raw_stripe', 'customer'), {
        'account_key': ['id', 'string'],
        'account_name': ['name', 'string'],
        'email': ['email', 'string'],
        'phone': ['phone', 'string'],
        'currency': ['currency', 'string'],
        'country': ['address_country', 'string'],
        'metadata': ['metadata', 'string'],
        'is_delinquent': ['delinquent', 'boolean'],
        'is_deleted': ['deleted', 'boolean'],
        'created_at': ['created', 'epoch_s'],
        'known_at': ['updated', 'epoch_s'],
        'is_live': ['livemode', 'boolean'],
    }, history={
        'key': 'account_key',
        'fixed': ['account_key', 'account_name', 'email', 'currency', 'country', 'metadata', 'created_at'],
        'gone': {'is_deleted': 'true'},
    }) }}
),
accounts as (
    select
        customers.*,
        {{ json_text('metadata', 'salesforce_account_id') }} as external_key,
        'salesforce' as external_source,
        false as is_register
    from customers
)
select * from accounts
