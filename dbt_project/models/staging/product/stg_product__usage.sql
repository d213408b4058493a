with usage as (
    {{ raw_columns(source('raw_product', 'usage_daily'), {
        'account_key': ['workspace_id', 'string'],
        'usage_date': ['date', 'date'],
        'active_users': ['active_users', 'bigint'],
        'logins': ['logins', 'bigint'],
        'actions': ['actions', 'bigint'],
        'api_calls': ['api_calls', 'bigint'],
        'errors': ['errors', 'bigint'],
        'minutes_active': ['minutes_active', 'double'],
        'received_at': ['received_at', 'timestamp'],
    }) }}
),
known_when_received as (
    select
        usage.*,
        coalesce(received_at, {{ end_of_day('usage_date') }}) as known_at
    from usage
)
select * from known_when_received
