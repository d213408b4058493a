with contacts as (
    {{ raw_columns(source('raw_salesforce', 'contact'), {
        'contact_key': ['Id', 'string'],
        'account_key': ['AccountId', 'string'],
        'first_name': ['FirstName', 'string'],
        'last_name': ['LastName', 'string'],
        'email': ['Email', 'string'],
        'phone': ['Phone', 'string'],
        'title': ['Title', 'string'],
        'country': ['MailingCountry', 'string'],
        'city': ['MailingCity', 'string'],
        'lead_source': ['LeadSource', 'string'],
        'owner_id': ['OwnerId', 'string'],
        'is_deleted': ['IsDeleted', 'boolean'],
        'merged_into_key': ['MasterRecordId', 'string'],
        'created_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }, history={
        'key': 'contact_key',
        'fixed': ['contact_key', 'account_key', 'first_name', 'last_name', 'email', 'lead_source', 'created_at'],
        'gone': {'is_deleted': 'true'},
    }) }}
)
select * from contacts
