with records as (
    {{ union_staging('tasks', {
        'task_id': 'string',
        'person_key': 'string',
        'account_key': 'string',
        'about_key': 'string',
        'subject': 'free_text',
        'type': 'string',
        'status': 'string',
        'priority': 'string',
        'activity_date': 'date',
        'completed_at': 'timestamp',
        'owner_id': 'string',
        'is_deleted': 'boolean',
        'created_at': 'timestamp',
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
ordered as (
    select
        records.*,
        row_number() over (partition by source_system, task_id order by known_at) as place,
        first_value(coalesce(is_deleted, false)) over (
            partition by source_system, task_id order by known_at desc
        ) as is_deleted_today
    from records
),
firsts as (
    select * from ordered
    where place = 1
),
final as (
    select
        firsts.task_id,
        firsts.source_system,
        {{- attributed_columns('firsts', true, true) }}
        {{ one_of('firsts.type', ['call', 'email', 'meeting', 'task']) }} as type,
        firsts.subject,
        firsts.status,
        firsts.priority,
        firsts.owner_id,
        firsts.is_deleted_today as is_deleted,
        {{- select_custom_columns('tasks', 'firsts') }}
        coalesce(firsts.completed_at, firsts.created_at, cast(firsts.activity_date as {{ dbt.type_timestamp() }})) as occurred_at
    from firsts
    {{- join_account('firsts') }}
    {{- join_person('firsts', has_account=true) }}
)
select * from final
