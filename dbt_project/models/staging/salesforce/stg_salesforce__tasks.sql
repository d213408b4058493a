with tasks as (
    {{ raw_columns(source('raw_salesforce', 'task'), {
        'task_id': ['Id', 'string'],
        'person_key': ['WhoId', 'string'],
        'about_key': ['WhatId', 'string'],
        'account_key': ['AccountId', 'string'],
        'subject': ['Subject', 'string'],
        'type': ['TaskSubtype', 'string'],
        'status': ['Status', 'string'],
        'priority': ['Priority', 'string'],
        'activity_date': ['ActivityDate', 'date'],
        'completed_at': ['CompletedDateTime', 'timestamp'],
        'owner_id': ['OwnerId', 'string'],
        'is_deleted': ['IsDeleted', 'boolean'],
        'created_at': ['CreatedDate', 'timestamp'],
        'known_at': ['SystemModstamp', 'timestamp'],
    }) }}
)
select * from tasks
