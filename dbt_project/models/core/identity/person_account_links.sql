with records as (
    select * from {{ ref('person_records') }}
    where not is_deleted
),
leads as (
    select * from {{ ref('lead_records') }}
    where not coalesce(is_deleted, false)
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
account_evidence as (
    select * from {{ ref('account_evidence') }}
    where rule = 'company domain' and value is not null
),
ranked_domains as (
    select
        account_evidence.source,
        account_evidence.identifier,
        account_evidence.value,
        greatest(account_evidence.known_at, account_link_periods.linked_at) as known_at,
        row_number() over (
            partition by account_evidence.value
            order by
                greatest(account_evidence.known_at, account_link_periods.linked_at),
                account_evidence.is_register desc,
                account_evidence.source,
                account_evidence.identifier
        ) as place
    from account_evidence
    inner join account_link_periods
        on account_evidence.source = account_link_periods.source
        and account_evidence.identifier = account_link_periods.identifier
),
domains as (
    select * from ranked_domains
    where place = 1
),
email_domains as (
    select distinct
        source as person_source,
        identifier as person_key,
        'domain:' || {{ company_domain(email_domain('identifier')) }} as value,
        linked_at as known_at
    from person_link_periods
    where source = 'e-mail'
    union all
    select
        source_system as person_source,
        lead_id as person_key,
        'domain:' || domain as value,
        min(known_at) as known_at
    from leads
    where domain is not null
    group by source_system, lead_id, domain
),
evidence as (
    select
        source_system as person_source,
        person_key,
        'exact key' as rule,
        1 as rule_order,
        source_system as account_source,
        account_key,
        known_at
    from records
    where account_key is not null
    union all
    select
        email_domains.person_source,
        email_domains.person_key,
        'company domain' as rule,
        2 as rule_order,
        domains.source as account_source,
        domains.identifier as account_key,
        greatest(email_domains.known_at, domains.known_at) as known_at
    from email_domains
    inner join domains on email_domains.value = domains.value
),
of_people as (
    select
        person_link_periods.recorded_person_id as person_id,
        evidence.rule,
        evidence.rule_order,
        evidence.account_source,
        evidence.account_key,
        greatest(evidence.known_at, person_link_periods.valid_from, account_link_periods.linked_at) as known_at
    from evidence
    inner join person_link_periods
        on evidence.person_source = person_link_periods.source
        and evidence.person_key = person_link_periods.identifier
        and evidence.known_at < person_link_periods.valid_to
    inner join account_link_periods
        on evidence.account_source = account_link_periods.source
        and evidence.account_key = account_link_periods.identifier
),
ranked as (
    select
        of_people.*,
        row_number() over (
            partition by person_id order by known_at, rule_order, account_source, account_key
        ) as place
    from of_people
),
final as (
    select
        person_id,
        account_source,
        account_key,
        rule,
        known_at
    from ranked
    where place = 1
)
select * from final
