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
    }, history={
        'key': 'task_id',
        'fixed': ['task_id', 'person_key', 'about_key', 'account_key', 'subject', 'type', 'created_at'],
        'steps': [{
            'at': 'greatest(completed_at, created_at)',
            'when': 'completed_at is not null',
            'columns': {'completed_at': 'completed_at'},
        }],
        'gone': {'is_deleted': 'true'},
    }) }}
)
select * from tasks
