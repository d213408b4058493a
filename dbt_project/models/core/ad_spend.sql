with records as (
    {{ union_staging('ad_spend', {
        'spend_date': 'date',
        'ad_account_id': 'string',
        'ad_campaign_id': 'string',
        'ad_campaign_name': 'string',
        'status': 'string',
        'impressions': 'bigint',
        'clicks': 'bigint',
        'cost': 'double',
        'conversions': 'double',
        'currency': 'currency',
        'known_at': 'timestamp',
    }) }}
),
final as (
    select
        source_system || ':' || ad_campaign_id || ':' || cast(spend_date as {{ dbt.type_string() }}) as ad_spend_id,
        source_system,
        spend_date,
        ad_account_id,
        ad_campaign_id,
        ad_campaign_name,
        impressions,
        clicks,
        {{ converted('records.cost') }} as cost,
        conversions,
        {{- converted_currency('records') }}
        cast(spend_date as {{ dbt.type_timestamp() }}) as occurred_at,
        known_at
    from records
    {{- join_exchange_rates('records', 'records.spend_date') }}
)
select * from final
