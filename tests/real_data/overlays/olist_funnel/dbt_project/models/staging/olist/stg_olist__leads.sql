with leads as (
    {{ raw_columns(source('raw_olist', 'marketing_qualified_leads'), {
        'lead_id': ['mql_id', 'string'],
        'first_contact_date': ['first_contact_date', 'date'],
        'landing_page_id': ['landing_page_id', 'string'],
        'source': ['origin', 'string'],
    }) }}
),
deals as (
    {{ raw_columns(source('raw_olist', 'closed_deals'), {
        'lead_id': ['mql_id', 'string'],
        'won_at': ['won_date', 'timestamp'],
    }) }}
),
as_contacted as (
    select
        lead_id,
        source,
        landing_page_id as custom_landing_page,
        false as is_converted,
        cast(null as date) as converted_date,
        cast(first_contact_date as {{ dbt.type_timestamp() }}) as created_at,
        cast(first_contact_date as {{ dbt.type_timestamp() }}) as known_at,
        loaded_at
    from leads
),
as_won as (
    select
        leads.lead_id,
        leads.source,
        leads.landing_page_id as custom_landing_page,
        true as is_converted,
        cast(deals.won_at as date) as converted_date,
        cast(leads.first_contact_date as {{ dbt.type_timestamp() }}) as created_at,
        deals.won_at as known_at,
        greatest(leads.loaded_at, deals.loaded_at) as loaded_at
    from leads
    inner join deals on leads.lead_id = deals.lead_id
),
final as (
    select * from as_contacted
    union all
    select * from as_won
)
select * from final
