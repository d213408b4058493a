with records as (
    select * from {{ ref('account_records') }}
),
people as (
    select * from {{ ref('person_records') }}
    where account_key is not null
),
contacts as (
    select * from people
    where email is not null
),
deals as (
    {{ union_staging('opportunities', {'account_key': 'string', 'known_at': 'timestamp'}, is_part=true) }}
),
{#- a company exists from its first deal on, even if its own record is known only later (an export without history) -#}
systems_with_records as (
    select distinct source_system
    from records
),
{#- and from its first contact on, where the system's companies were not exported at all -#}
people_without_companies as (
    select people.*
    from people
    left join systems_with_records
        on people.source_system = systems_with_records.source_system
    where systems_with_records.source_system is null
),
mentions as (
    select
        source_system,
        account_key,
        known_at,
        coalesce(is_register, false) as is_register
    from records
    union all
    select
        source_system,
        account_key,
        known_at,
        true as is_register
    from deals
    where account_key is not null
    union all
    select
        source_system,
        account_key,
        known_at,
        false as is_register
    from people_without_companies
),
own_keys as (
    select
        source_system,
        account_key,
        min(known_at) as known_at,
        max(case when is_register then 1 else 0 end) as is_register
    from mentions
    group by source_system, account_key
),
live_records as (
    select * from records
    where not coalesce(is_deleted, false)
),
named_records as (
    select
        source_system,
        account_key,
        lower(trim(account_name)) as name,
        row_number() over (partition by source_system, account_key order by known_at, account_name) as place
    from records
    where account_name is not null
),
own as (
    select
        source_system as source,
        account_key as identifier,
        'own' as rule,
        'key:' || source_system || ':' || account_key as value,
        known_at
    from own_keys
),
keys_of_named_systems as (
    select
        source_system as source,
        account_key as identifier,
        'exact key' as rule,
        'key:' || external_source || ':' || external_key as value,
        known_at
    from live_records
    where external_key is not null and external_source is not null
),
keys_of_unnamed_systems as (
    select
        live_records.source_system as source,
        live_records.account_key as identifier,
        'exact key' as rule,
        'key:' || own_keys.source_system || ':' || own_keys.account_key as value,
        greatest(live_records.known_at, own_keys.known_at) as known_at
    from live_records
    inner join own_keys
        on live_records.external_key = own_keys.account_key
        and live_records.source_system <> own_keys.source_system
    where live_records.external_source is null
),
own_emails as (
    select
        source_system as source,
        account_key as identifier,
        'e-mail' as rule,
        'e-mail:' || email as value,
        known_at
    from live_records
    where email is not null
),
contact_emails as (
    select
        source_system as source,
        account_key as identifier,
        'e-mail' as rule,
        'e-mail:' || email as value,
        known_at
    from contacts
),
domains as (
    select
        source_system as source,
        account_key as identifier,
        'company domain' as rule,
        'domain:' || domain as value,
        known_at
    from live_records
    where domain is not null
),
email_domains as (
    select
        source_system as source,
        account_key as identifier,
        'company domain' as rule,
        'domain:' || {{ company_domain(email_domain('email')) }} as value,
        known_at
    from live_records
    where email is not null
),
evidence as (
    select * from own
    union all
    select * from keys_of_named_systems
    union all
    select * from keys_of_unnamed_systems
    union all
    select * from own_emails
    union all
    select * from contact_emails
    union all
    select * from domains
    union all
    select * from email_domains
),
final as (
    select
        evidence.source,
        evidence.identifier,
        evidence.rule,
        evidence.value,
        evidence.known_at,
        own_keys.is_register,
        named_records.name,
        0 as is_derived,
        0 as is_follower
    from evidence
    inner join own_keys
        on evidence.source = own_keys.source_system and evidence.identifier = own_keys.account_key
    left join named_records
        on evidence.source = named_records.source_system
        and evidence.identifier = named_records.account_key
        and named_records.place = 1
)
select * from final
