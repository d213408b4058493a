{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='as_of_date',
    on_schema_change='append_new_columns',
    pre_hook="{{ write_with_one_thread(true) }}",
    post_hook=["{{ drop_passing_snapshots() }}", "{{ write_with_one_thread(false) }}"],
) }}
{{ read_core_models() }}

with as_of_dates as (
    {{ as_of_dates() }}
),
versions as (
    select * from {{ ref('opportunity_versions') }}
),
spine as (
    select
        versions.opportunity_id,
        as_of_dates.as_of_date,
        versions.amount,
        versions.currency,
        versions.stated_probability_percent,
        {{ dbt.datediff('coalesce(versions.created_at, versions.valid_from)', 'as_of_dates.as_of_date', 'day') }} as opportunity_age_days,
        {{ dbt.datediff('versions.changed_at', 'as_of_dates.as_of_date', 'day') }} as days_since_opportunity_changed,
        {{ dbt.datediff('as_of_dates.as_of_date', 'versions.close_date', 'day') }} as days_to_close_date
    from versions
    inner join as_of_dates
        on {{ is_known_at('as_of_dates.as_of_date', 'versions') }}
    where versions.is_open
),
final as (
    {{ point_in_time(
        'opportunity',
        'spine',
        carried=[
            'amount', 'currency', 'stated_probability_percent', 'opportunity_age_days', 'days_since_opportunity_changed',
            'days_to_close_date'
        ],
        parents={'account': ref('account_snapshots')}
    ) }}
)
select * from final
