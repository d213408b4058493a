with scored as (
    {{ scored_between_snapshots('lead_snapshots', 'lead_id') }}
),
snapshots as (
    select
        lead_id,
        as_of_date
    from {{ ref('lead_snapshots') }}
    union all
    select
        lead_id,
        as_of_date
    from scored
),
ends as (
    select
        lead_id,
        min(case when is_converted then cast(valid_from as date) end) as converted_date,
        min(case when merged_into_lead_id is not null then cast(valid_from as date) end) as merged_date
    from {{ ref('lead_versions') }}
    group by lead_id
),
horizons as (
    select
        snapshots.lead_id,
        snapshots.as_of_date,
        cast({{ dbt.dateadd('day', 60, 'snapshots.as_of_date') }} as date) as horizon_date
    from snapshots
),
{#- a lead that is merged into another tells nothing about itself: the other's outcome does -#}
final as (
    select
        horizons.lead_id,
        horizons.as_of_date,
        case
            when horizons.horizon_date > {{ as_of_date() }} then null
            when ends.converted_date > horizons.as_of_date and ends.converted_date <= horizons.horizon_date then true
            when ends.merged_date > horizons.as_of_date and ends.merged_date <= horizons.horizon_date then null
            else false
        end as is_converted_60d
    from horizons
    left join ends on horizons.lead_id = ends.lead_id
)
select * from final
