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
    }) }}
),
with_person as (
    select
        members.*,
        coalesce(contact_key, lead_key) as person_key
    from members
)
select * from with_person
