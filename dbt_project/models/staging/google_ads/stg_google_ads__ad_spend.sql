with stats as (
    {{ raw_columns(source('raw_google_ads', 'campaign_stats'), {
        'spend_date': ['date', 'date'],
        'ad_account_id': ['customer_id', 'string'],
        'ad_campaign_id': ['campaign_id', 'string'],
        'ad_campaign_name': ['campaign_name', 'string'],
        'status': ['campaign_status', 'string'],
        'impressions': ['impressions', 'bigint'],
        'clicks': ['clicks', 'bigint'],
        'cost_micros': ['cost_micros', 'bigint'],
        'conversions': ['conversions', 'double'],
        'currency': ['currency_code', 'string'],
    }) }}
),
in_currency_units as (
    select
        stats.*,
        cost_micros / 1000000.0 as cost,
        {{ end_of_day('spend_date') }} as known_at
    from stats
)
select * from in_currency_units
