with person_account_links as (
    select * from {{ ref('person_account_links') }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
final as (
    select
        person_account_links.person_id,
        account_link_periods.recorded_account_id,
        account_link_periods.account_id,
        person_account_links.rule,
        greatest(person_account_links.known_at, account_link_periods.valid_from) as valid_from,
        account_link_periods.valid_to
    from person_account_links
    inner join account_link_periods
        on person_account_links.account_source = account_link_periods.source
        and person_account_links.account_key = account_link_periods.identifier
        and person_account_links.known_at < account_link_periods.valid_to
)
select * from final
