with users as (
    {{ raw_columns(source('raw_salesforce', 'user'), {
        'owner_id': ['Id', 'string'],
        'whole_name': ['Name', 'string'],
        'first_name': ['FirstName', 'string'],
        'last_name': ['LastName', 'string'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }) }}
),
final as (
    select
        owner_id,
        coalesce(whole_name, nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), '')) as owner_name,
        known_at,
        loaded_at
    from users
)
select * from final
