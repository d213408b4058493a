with leads as (
    {{ raw_columns(source('raw_salesforce', 'lead'), {
        'lead_id': ['Id', 'string'],
        'first_name': ['FirstName', 'string'],
        'last_name': ['LastName', 'string'],
        'email': ['Email', 'string'],
        'phone': ['Phone', 'string'],
        'company': ['Company', 'string'],
        'title': ['Title', 'string'],
        'website': ['Website', 'string'],
        'industry': ['Industry', 'string'],
        'employee_count': ['NumberOfEmployees', 'bigint'],
        'country': ['Country', 'string'],
        'city': ['City', 'string'],
        'source': ['LeadSource', 'string'],
        'status': ['Status', 'string'],
        'rating': ['Rating', 'string'],
        'owner_id': ['OwnerId', 'string'],
        'owner_name': ['OwnerName', 'string'],
        'is_converted': ['IsConverted', 'boolean'],
        'converted_date': ['ConvertedDate', 'date'],
        'converted_account_key': ['ConvertedAccountId', 'string'],
        'converted_contact_key': ['ConvertedContactId', 'string'],
        'converted_opportunity_id': ['ConvertedOpportunityId', 'string'],
        'is_deleted': ['IsDeleted', 'boolean'],
        'merged_into_key': ['MasterRecordId', 'string'],
        'created_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }, history={
        'key': 'lead_id',
        'fixed': ['lead_id', 'first_name', 'last_name', 'email', 'company', 'website', 'country', 'source', 'created_at'],
        'steps': [{
            'at': 'greatest(converted_date, created_at)',
            'when': 'is_converted and converted_date is not null',
            'columns': {
                'is_converted': 'true',
                'converted_date': 'converted_date',
                'converted_account_key': 'converted_account_key',
                'converted_contact_key': 'converted_contact_key',
                'converted_opportunity_id': 'converted_opportunity_id',
            },
        }],
        'gone': {'is_deleted': 'true'},
    }) }}
),
final as (
    select
        leads.*,
        {{ website_domain('website') }} as domain,
        -- The vendor's own picklist, and what else people call a lead that nobody works on any more.
        coalesce(
            lower(status) like '%closed%'
            or lower(status) like '%qualified out%'
            or lower(status) like '%unqualified%'
            or lower(status) like '%disqualified%'
            or lower(status) like '%not converted%'
            or lower(status) in ('dead', 'junk', 'junk lead', 'lost', 'lost lead', 'recycled', 'rejected'),
            false
        ) as is_closed
    from leads
)
select * from final
