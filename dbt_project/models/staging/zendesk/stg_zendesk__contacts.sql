with users as (
    {{ raw_columns(source('raw_zendesk', 'user'), {
        'contact_key': ['id', 'string'],
        'email': ['email', 'string'],
        'full_name': ['name', 'string'],
        'role': ['role', 'string'],
        'account_key': ['organization_id', 'string'],
        'external_key': ['external_id', 'string'],
        'created_at': ['created_at', 'timestamp'],
        'known_at': ['updated_at', 'timestamp'],
    }, history={
        'key': 'contact_key',
        'fixed': ['contact_key', 'email', 'full_name', 'role', 'account_key', 'external_key', 'created_at'],
    }) }}
),
contacts as (
    select
        users.*,
        coalesce(role in ('agent', 'admin'), false) as is_own_staff
    from users
)
select * from contacts
