with accounts as (
    {{ raw_columns(source('raw_crm_export', 'accounts'), {
        'account_key': ['account', 'string'],
        'sector': ['sector', 'string'],
        'employee_count': ['employees', 'bigint'],
        'annual_revenue_millions': ['revenue', 'double'],
        'country': ['office_location', 'string'],
    }) }}
),
final as (
    select
        account_key,
        account_key as account_name,
        case when sector = 'technolgy' then 'technology' else sector end as industry,
        employee_count,
        annual_revenue_millions * 1000000 as annual_revenue,
        country,
        true as is_register,
        cast({{ as_of_date() }} as {{ dbt.type_timestamp() }}) as known_at,
        loaded_at
    from accounts
)
select * from final
