with customers as (
    {{ raw_columns(source('raw_stripe', 'customer'), {
        'contact_key': ['id', 'string'],
        'account_key': ['id', 'string'],
        'email': ['email', 'string'],
        'is_deleted': ['deleted', 'boolean'],
        'created_at': ['created', 'epoch_s'],
        'known_at': ['updated', 'epoch_s'],
        'is_live': ['livemode', 'boolean'],
    }, history={
        'key': 'contact_key',
        'fixed': ['contact_key', 'account_key', 'email', 'created_at'],
        'gone': {'is_deleted': 'true'},
    }) }}
),
contacts as (
    select
        contact_key,
        account_key,
        email,
        is_deleted,
        created_at,
        known_at,
        is_rebuilt,
        loaded_at
    from customers
    where email is not null
)
select * from contacts
