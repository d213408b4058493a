with records as (
    {{ union_staging('tickets', {
        'ticket_id': 'string',
        'person_key': 'string',
        'account_key': 'string',
        'subject': 'free_text',
        'description': 'free_text',
        'status': 'string',
        'priority': 'string',
        'type': 'string',
        'tags': 'string',
        'channel': 'string',
        'assignee_id': 'string',
        'is_deleted': 'boolean',
        'created_at': 'timestamp',
        'solved_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
attributed as (
    select
        records.ticket_id,
        records.source_system,
        {{- attributed_columns('records', true, true) }}
        records.known_at as recorded_at,
        records.subject,
        records.description,
        {{ one_of('records.status', ['new', 'open', 'pending', 'hold', 'solved', 'closed', 'deleted']) }} as status,
        {{ one_of('records.priority', ['low', 'normal', 'high', 'urgent']) }} as priority,
        {{ one_of('records.type', ['question', 'incident', 'problem', 'task']) }} as type,
        {{ one_of('records.channel', ['web', 'email', 'chat', 'phone', 'api', 'mobile']) }} as channel,
        records.tags,
        records.assignee_id,
        {{- select_custom_columns('tickets', 'records') }}
        coalesce(records.is_deleted, lower(records.status) = 'deleted', false) as is_deleted,
        records.created_at,
        records.solved_at
    from records
    {{- join_account('records') }}
    {{- join_person('records', has_account=true) }}
),
final as (
    {{ versions_of('attributed', ['source_system', 'ticket_id']) }}
)
select * from final
