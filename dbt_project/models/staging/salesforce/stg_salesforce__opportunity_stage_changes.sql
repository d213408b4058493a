with changes as (
    {{ raw_columns(source('raw_salesforce', 'opportunity_history'), {
        'stage_change_id': ['Id', 'string'],
        'opportunity_id': ['OpportunityId', 'string'],
        'stage': ['StageName', 'string'],
        'amount': ['Amount', 'double'],
        'stated_probability_percent': ['Probability', 'double'],
        'close_date': ['CloseDate', 'date'],
        'occurred_at': ['CreatedDate', 'timestamp'],
        'known_at': ['CreatedDate', 'timestamp'],
    }) }}
)
select * from changes
