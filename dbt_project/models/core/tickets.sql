with versions as (
    select * from {{ ref('ticket_versions') }}
),
firsts as (
    select * from versions
    where version = 1
),
latest as (
    select * from versions
    where valid_to is null
),
deletions as (
    {{ holds_since('versions', ['source_system', 'ticket_id'], 'is_deleted') }}
),
accounts as (
    select
        account_id,
        account_name
    from {{ ref('account_versions') }}
    where valid_to is null
),
final as (
    select
        firsts.ticket_id,
        firsts.source_system,
        latest.account_id,
        accounts.account_name,
        firsts.recorded_account_id,
        latest.person_id,
        firsts.recorded_person_id,
        firsts.subject,
        firsts.description,
        firsts.priority,
        firsts.type,
        firsts.channel,
        {{- select_custom_columns('tickets', 'firsts') }}
        latest.status as latest_status,
        latest.priority as latest_priority,
        latest.type as latest_type,
        latest.tags as latest_tags,
        latest.assignee_id as latest_assignee_id,
        case when latest.status in ('solved', 'closed') then latest.solved_at end as solved_at,
        deletions.since as deleted_at,
        firsts.created_at as occurred_at,
        firsts.known_at
    from firsts
    inner join latest
        on firsts.source_system = latest.source_system and firsts.ticket_id = latest.ticket_id
    left join accounts on latest.account_id = accounts.account_id
    left join deletions
        on firsts.source_system = deletions.source_system and firsts.ticket_id = deletions.ticket_id
)
select * from final
