with stops as (
    {{ customer_stops(ref('paid_periods'), 'account_id', 'paid_from', 'paid_to') }}
)
select * from stops
