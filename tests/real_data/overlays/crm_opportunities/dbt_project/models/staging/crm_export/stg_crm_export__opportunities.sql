with deals as (
    {{ raw_columns(source('raw_crm_export', 'sales_pipeline'), {
        'opportunity_id': ['opportunity_id', 'string'],
        'sales_agent': ['sales_agent', 'string'],
        'product': ['product', 'string'],
        'account_key': ['account', 'string'],
        'stage': ['deal_stage', 'string'],
        'engage_date': ['engage_date', 'date'],
        'closed_date': ['close_date', 'date'],
        'close_value': ['close_value', 'double'],
    }) }}
),
products as (
    {{ raw_columns(source('raw_crm_export', 'products'), {
        'product': ['product', 'string'],
        'series': ['series', 'string'],
        'list_price': ['sales_price', 'double'],
    }) }}
),
sales_teams as (
    {{ raw_columns(source('raw_crm_export', 'sales_teams'), {
        'sales_agent': ['sales_agent', 'string'],
        'manager': ['manager', 'string'],
        'regional_office': ['regional_office', 'string'],
    }) }}
),
described as (
    select
        deals.*,
        coalesce(deals.engage_date, {{ as_of_date() }}) as created_date,
        products.series,
        products.list_price,
        sales_teams.manager,
        sales_teams.regional_office
    from deals
    left join products on replace(deals.product, 'GTXPro', 'GTX Pro') = products.product
    left join sales_teams on deals.sales_agent = sales_teams.sales_agent
),
as_engaged as (
    select
        opportunity_id,
        account_key,
        'Open' as stage,
        list_price as amount,
        false as is_closed,
        cast(null as boolean) as is_won,
        cast(null as date) as close_date,
        cast(created_date as {{ dbt.type_timestamp() }}) as created_at,
        cast(created_date as {{ dbt.type_timestamp() }}) as known_at,
        sales_agent as owner_id,
        product as custom_product,
        series as custom_series,
        manager as custom_manager,
        regional_office as custom_regional_office,
        loaded_at
    from described
),
as_closed as (
    select
        opportunity_id,
        account_key,
        stage,
        close_value as amount,
        true as is_closed,
        stage = 'Won' as is_won,
        closed_date as close_date,
        cast(created_date as {{ dbt.type_timestamp() }}) as created_at,
        cast(closed_date as {{ dbt.type_timestamp() }}) as known_at,
        sales_agent as owner_id,
        product as custom_product,
        series as custom_series,
        manager as custom_manager,
        regional_office as custom_regional_office,
        loaded_at
    from described
    where stage in ('Won', 'Lost')
),
final as (
    select * from as_engaged
    union all
    select * from as_closed
)
select * from final
