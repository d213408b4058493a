with first_days as (
    select min(cast(created_at as date)) as first_date
    from {{ ref('account_records') }}
    union all
    select min(cast(created_at as date)) as first_date
    from {{ ref('person_records') }}
),
bounds as (
    select
        min(first_date) as first_date,
        {{ as_of_date() }} as as_of_date
    from first_days
),
numbers as (
    {{ integers(16384) }}
),
days as (
    select {{ dbt.dateadd('day', 'numbers.number', 'coalesce(bounds.first_date, bounds.as_of_date)') }} as day_at
    from numbers
    cross join bounds
    where numbers.number <= {{ dbt.datediff('coalesce(bounds.first_date, bounds.as_of_date)', 'bounds.as_of_date', 'day') }} + 366
),
final as (
    select cast(day_at as date) as date_day
    from days
)
select * from final
