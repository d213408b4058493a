with members as (
    {{ raw_columns(source('raw_salesforce', 'campaign_member'), {
        'campaign_touch_id': ['Id', 'string'],
        'campaign_id': ['CampaignId', 'string'],
        'lead_key': ['LeadId', 'string'],
        'contact_key': ['ContactId', 'string'],
        'status': ['Status', 'string'],
        'has_responded': ['HasResponded', 'boolean'],
        'first_responded_date': ['FirstRespondedDate', 'date'],
        'occurred_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }, history={
        'key': 'campaign_touch_id',
        'begins_at': 'occurred_at',
        'fixed': ['campaign_touch_id', 'campaign_id', 'lead_key', 'contact_key', 'occurred_at'],
        'steps': [{
            'at': 'greatest(first_responded_date, occurred_at)',
            'when': 'has_responded and first_responded_date is not null',
            'columns': {'has_responded': 'true', 'first_responded_date': 'first_responded_date'},
        }],
    }) }}
),
with_person as (
    select
        members.*,
        coalesce(contact_key, lead_key) as person_key
    from members
)
select * from with_person
