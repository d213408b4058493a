with contacts as (
    {{ raw_columns(source('raw_hubspot', 'contact'), {
        'contact_key': ['id', 'string'],
        'email': ['email', 'string'],
        'first_name': ['firstname', 'string'],
        'last_name': ['lastname', 'string'],
        'phone': ['phone', 'string'],
        'company': ['company', 'string'],
        'website': ['website', 'string'],
        'city': ['city', 'string'],
        'country': ['country', 'string'],
        'twitter_handle': ['twitterhandle', 'string'],
        'linkedin_profile': ['linkedinbio', 'string'],
        'salesforce_lead_id': ['salesforceleadid', 'string'],
        'salesforce_contact_id': ['salesforcecontactid', 'string'],
        'account_key': ['associatedcompanyid', 'string'],
        'created_at': ['createdate', 'timestamp'],
        'known_at': ['lastmodifieddate', 'timestamp'],
    }) }}
),
final as (
    select
        contacts.*,
        coalesce(salesforce_contact_id, salesforce_lead_id) as external_key,
        'salesforce' as external_source
    from contacts
)
select * from final
