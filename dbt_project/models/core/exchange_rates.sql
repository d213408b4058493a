with settings as (
    select * from {{ beside(source('raw_scorecast', 'as_of'), 'settings') }}
),
rates as (
    select
        currency,
        rate,
        rate_date as since_date,
        coalesce(lead(rate_date) over (partition by currency order by rate_date), cast('9999-12-31' as date)) as until_date
    from {{ beside(source('raw_scorecast', 'as_of'), 'exchange_rates') }}
    where currency not in (select reporting_currency from settings where reporting_currency is not null)
),
{#- the reporting currency is worth itself on every day -#}
own_rates as (
    select
        reporting_currency as currency,
        cast(1.0 as {{ type_double() }}) as rate,
        cast('1900-01-01' as date) as since_date,
        cast('9999-12-31' as date) as until_date
    from settings
    where reporting_currency is not null
),
final as (
    select * from rates
    union all
    select * from own_rates
)
select * from final
