with campaigns as (
    {{ raw_columns(source('raw_salesforce', 'campaign'), {
        'campaign_id': ['Id', 'string'],
        'campaign_name': ['Name', 'string'],
        'type': ['Type', 'string'],
        'status': ['Status', 'string'],
        'start_date': ['StartDate', 'date'],
        'end_date': ['EndDate', 'date'],
        'budgeted_cost': ['BudgetedCost', 'double'],
        'actual_cost': ['ActualCost', 'double'],
        'is_active': ['IsActive', 'boolean'],
        'created_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }, history={
        'key': 'campaign_id',
        'fixed': ['campaign_id', 'campaign_name', 'type', 'start_date', 'created_at'],
    }) }}
)
select * from campaigns
