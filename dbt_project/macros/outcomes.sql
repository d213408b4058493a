{#-
    The deals that were won in the `days` after a snapshot's `as_of_date`, one row per `key` and day: `won_amount`, as it stood
    at the end of those days, null where it is not known or in another currency than `currency` of the snapshot. A win that was
    taken back by then is none. `snapshots` and `deals` are relations in scope; `deals` says which deal is whose (`key`,
    `opportunity_id`).
-#}
{% macro won_within(days, key, snapshots='snapshots', deals='deals') %}
    {%- set end_date = dbt.dateadd('day', days, 'snapshots.as_of_date') %}
    select
        snapshots.{{ key }},
        snapshots.as_of_date,
        max(
            case
                when coalesce(wins.currency, '') = coalesce(snapshots.currency, wins.currency, '') then wins.amount
            end
        ) as won_amount
    from {{ snapshots }} as snapshots
    inner join {{ deals }} as deals on snapshots.{{ key }} = deals.{{ key }}
    inner join (
        select
            opportunity_id,
            amount,
            currency,
            cast(valid_from as date) as won_date,
            coalesce(cast(valid_to as date), date '9999-12-31') as won_until_date
        from {{ ref('opportunity_versions') }}
        where is_won and not coalesce(is_deleted, false)
    ) as wins
        on deals.opportunity_id = wins.opportunity_id
        and snapshots.as_of_date < wins.won_date
        and wins.won_date <= {{ end_date }}
        and wins.won_until_date > {{ end_date }}
    group by snapshots.{{ key }}, snapshots.as_of_date
{% endmacro %}
