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
        'is_deleted': ['archived', 'boolean'],
        'created_at': ['createdate', 'timestamp'],
        'known_at': ['lastmodifieddate', 'timestamp'],
    }, history={
        'key': 'contact_key',
        'fixed': [
            'contact_key', 'account_key', 'email', 'first_name', 'last_name', 'company', 'website', 'salesforce_lead_id',
            'salesforce_contact_id', 'created_at'
        ],
        'gone': {'is_deleted': 'true'},
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
