with opportunities as (
    {{ raw_columns(source('raw_salesforce', 'opportunity'), {
        'opportunity_id': ['Id', 'string'],
        'account_key': ['AccountId', 'string'],
        'opportunity_name': ['Name', 'string'],
        'stage': ['StageName', 'string'],
        'amount': ['Amount', 'double'],
        'stated_probability_percent': ['Probability', 'double'],
        'close_date': ['CloseDate', 'date'],
        'type': ['Type', 'string'],
        'lead_source': ['LeadSource', 'string'],
        'forecast_category': ['ForecastCategory', 'string'],
        'owner_id': ['OwnerId', 'string'],
        'owner_name': ['OwnerName', 'string'],
        'campaign_id': ['CampaignId', 'string'],
        'is_closed': ['IsClosed', 'boolean'],
        'is_won': ['IsWon', 'boolean'],
        'currency': ['CurrencyIsoCode', 'string'],
        'is_deleted': ['IsDeleted', 'boolean'],
        'created_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }) }}
)
select * from opportunities
