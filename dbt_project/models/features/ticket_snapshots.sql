{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='as_of_date',
    on_schema_change='append_new_columns',
    post_hook="{{ drop_passing_snapshots() }}",
) }}
{{ read_core_models() }}

with as_of_dates as (
    {{ as_of_dates() }}
),
versions as (
    select * from {{ ref('ticket_versions') }}
),
open_tickets as (
    select
        versions.ticket_id,
        versions.created_at,
        as_of_dates.as_of_date,
        {{ end_of_day('as_of_dates.as_of_date') }} as asked_at
    from versions
    inner join as_of_dates
        on {{ is_known_at('as_of_dates.as_of_date', 'versions') }}
    where {{ is_open_ticket('versions') }}
),
{#- what was asked first: later versions may hold what others wrote since -#}
requests as (
    select
        ticket_id,
        {{ dbt.concat(["coalesce(subject, '')", "' '", "coalesce(description, '')"]) }} as request
    from {{ ref('tickets') }}
),
messages as (
    select
        open_tickets.ticket_id,
        open_tickets.as_of_date,
        max(comments.occurred_at) as last_message_at,
        max(case when comments.author = 'customer' then comments.occurred_at end) as customers_last_message_at
    from open_tickets
    inner join {{ ref('ticket_comments') }} as comments
        on open_tickets.ticket_id = comments.ticket_id
        and cast(comments.known_at as date) <= open_tickets.as_of_date
    group by open_tickets.ticket_id, open_tickets.as_of_date
),
spine as (
    select
        open_tickets.ticket_id,
        open_tickets.as_of_date,
        nullif(trim(requests.request), '') as request,
        {{ hours_between('open_tickets.created_at', 'open_tickets.asked_at') }} as waiting_hours,
        {{ hours_between('open_tickets.created_at', 'open_tickets.asked_at') }} > {{ var('late_ticket_hours') }} as is_late,
        {{ hours_between('messages.last_message_at', 'open_tickets.asked_at') }} as hours_since_last_message,
        {{ hours_between('messages.customers_last_message_at', 'open_tickets.asked_at') }} as hours_since_customers_message
    from open_tickets
    left join requests on open_tickets.ticket_id = requests.ticket_id
    left join messages
        on open_tickets.ticket_id = messages.ticket_id and open_tickets.as_of_date = messages.as_of_date
),
known as (
    {{ point_in_time(
        'ticket',
        'spine',
        carried=['request', 'waiting_hours', 'is_late', 'hours_since_last_message', 'hours_since_customers_message'],
        parents={'account': ref('account_snapshots')},
        left_out=['person']
    ) }}
),
final as (
    select
        known.*,
        coalesce(known.account_arr, 0) as arr,
        known.account_currency as currency
    from known
)
select * from final
