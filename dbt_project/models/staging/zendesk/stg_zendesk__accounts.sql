with organizations as (
    {{ raw_columns(source('raw_zendesk', 'organization'), {
        'account_key': ['id', 'string'],
        'account_name': ['name', 'string'],
        'external_key': ['external_id', 'string'],
        'domain_names': ['domain_names', 'string'],
        'created_at': ['created_at', 'timestamp'],
        'known_at': ['updated_at', 'timestamp'],
    }, history={
        'key': 'account_key',
        'fixed': ['account_key', 'account_name', 'external_key', 'domain_names', 'created_at'],
    }) }}
),
accounts as (
    select
        organizations.*,
        {{ first_listed('domain_names') }} as domain,
        false as is_register
    from organizations
)
select * from accounts
