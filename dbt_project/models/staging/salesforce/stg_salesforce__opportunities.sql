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
    }, history={
        'key': 'opportunity_id',
        'fixed': ['opportunity_id', 'account_key', 'opportunity_name', 'type', 'lead_source', 'currency', 'created_at'],
        'steps': [{
            'at': 'greatest(close_date, created_at)',
            'when': 'is_closed and close_date is not null',
            'columns': {
                'is_closed': 'is_closed', 'is_won': 'is_won', 'stage': 'stage', 'amount': 'amount', 'close_date': 'close_date'
            },
        }],
        'gone': {'is_deleted': 'true'},
    }) }}
)
select * from opportunities
