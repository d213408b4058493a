{{ config(materialized='view') }}

with account_records as (
    select
        source_system,
        account_key,
        coalesce(is_register, false) as is_register,
        coalesce(is_deleted, false) or merged_into_key is not null as is_gone,
        row_number() over (partition by source_system, account_key order by known_at desc, loaded_at desc) as place
    from {{ ref('account_records') }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
    where valid_to = {{ end_of_time() }}
),
accounts as (
    select
        'account_id' as entity,
        account_link_periods.account_id as entity_id,
        account_records.source_system,
        account_records.account_key as record_key,
        account_records.is_register
    from account_records
    inner join account_link_periods
        on account_records.source_system = account_link_periods.source
        and account_records.account_key = account_link_periods.identifier
    where account_records.place = 1 and not account_records.is_gone
),
leads as (
    select
        'lead_id' as entity,
        lead_id as entity_id,
        source_system,
        lead_id as record_key,
        true as is_register
    from {{ ref('leads') }}
),
opportunities as (
    select
        'opportunity_id' as entity,
        opportunity_id as entity_id,
        source_system,
        opportunity_id as record_key,
        true as is_register
    from {{ ref('opportunities') }}
),
tickets as (
    select
        'ticket_id' as entity,
        ticket_id as entity_id,
        source_system,
        ticket_id as record_key,
        true as is_register
    from {{ ref('tickets') }}
),
final as (
    select * from accounts
    union all
    select * from leads
    union all
    select * from opportunities
    union all
    select * from tickets
)
select * from final
