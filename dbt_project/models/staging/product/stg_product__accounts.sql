with workspaces as (
    {{ raw_columns(source('raw_product', 'workspace'), {
        'account_key': ['workspace_id', 'string'],
        'account_name': ['name', 'string'],
        'domain': ['company_domain', 'string'],
        'external_key': ['stripe_customer_id', 'string'],
        'plan': ['plan', 'string'],
        'seats': ['seats', 'bigint'],
        'created_at': ['created_at', 'timestamp'],
        'known_at': ['updated_at', 'timestamp'],
    }, history={
        'key': 'account_key',
        'fixed': ['account_key', 'account_name', 'domain', 'external_key', 'created_at'],
    }) }}
),
accounts as (
    select
        workspaces.*,
        'stripe' as external_source,
        false as is_register
    from workspaces
)
select * from accounts
