with records as (
    select * from {{ ref('person_records') }}
),
forms as (
    select * from {{ ref('form_records') }}
),
visits as (
    select * from {{ ref('visit_records') }}
),
mail_events as (
    select * from {{ ref('mail_event_records') }}
),
own_keys as (
    select
        source_system,
        person_key,
        min(known_at) as known_at
    from records
    group by source_system, person_key
),
live_records as (
    select * from records
    where not is_deleted
),
identifications as (
    select
        anonymous_id,
        email,
        min(known_at) as known_at
    from forms
    where email is not null and anonymous_id is not null
    group by anonymous_id, email
    union all
    select
        anonymous_id,
        email,
        min(known_at) as known_at
    from visits
    where email is not null and anonymous_id is not null
    group by anonymous_id, email
),
emails as (
    select
        email,
        known_at
    from live_records
    where email is not null
    union all
    select
        email,
        min(known_at) as known_at
    from visits
    where email is not null
    group by email
    union all
    select
        email,
        min(known_at) as known_at
    from forms
    where email is not null
    group by email
    union all
    select
        email,
        min(known_at) as known_at
    from mail_events
    where email is not null
    group by email
),
evidence as (
    select
        source_system as source,
        person_key as identifier,
        'own' as rule,
        'key:' || source_system || ':' || person_key as value,
        cast(null as {{ dbt.type_string() }}) as name,
        known_at,
        0 as is_derived
    from own_keys
    union all
    select
        'anonymous id' as source,
        anonymous_id as identifier,
        'own' as rule,
        'key:anonymous id:' || anonymous_id as value,
        null as name,
        min(known_at) as known_at,
        1 as is_derived
    from identifications
    group by anonymous_id
    union all
    select
        'e-mail' as source,
        email as identifier,
        'own' as rule,
        'e-mail:' || email as value,
        null as name,
        min(known_at) as known_at,
        1 as is_derived
    from emails
    group by email
    union all
    select
        'anonymous id' as source,
        anonymous_id as identifier,
        'e-mail' as rule,
        'e-mail:' || email as value,
        null as name,
        known_at,
        1 as is_derived
    from identifications
    union all
    select
        source_system as source,
        person_key as identifier,
        'e-mail' as rule,
        'e-mail:' || email as value,
        lower(full_name) as name,
        known_at,
        0 as is_derived
    from live_records
    where email is not null
    union all
    select
        source_system as source,
        person_key as identifier,
        'exact key' as rule,
        'key:' || external_source || ':' || external_key as value,
        null as name,
        known_at,
        0 as is_derived
    from live_records
    where external_key is not null and external_source is not null
    union all
    select
        live_records.source_system as source,
        live_records.person_key as identifier,
        'exact key' as rule,
        'key:' || own_keys.source_system || ':' || own_keys.person_key as value,
        null as name,
        greatest(live_records.known_at, own_keys.known_at) as known_at,
        0 as is_derived
    from live_records
    inner join own_keys
        on live_records.external_key = own_keys.person_key
        and live_records.source_system <> own_keys.source_system
    where live_records.external_source is null
),
final as (
    select
        evidence.*,
        0 as is_register,
        case when source = 'anonymous id' then 1 else 0 end as is_follower
    from evidence
)
select * from final
