{{ grows_by('visit_key') }}

with records as (
    select
        visit_records.*,
        case when email is not null then 'e-mail' else 'anonymous id' end as person_source,
        coalesce(email, anonymous_id) as person_key
    from {{ ref('visit_records') }} as visit_records
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
final as (
    select
        records.source_system || ':' || records.visit_id as visit_key,
        records.visit_id,
        records.source_system,
        records.person_source,
        records.person_key,
        {{- attributed_columns('records', false, true) }}
        records.anonymous_id,
        records.page_views,
        {{ dbt.datediff('records.occurred_at', 'records.ended_at', 'second') }} / 60.0 as minutes,
        records.landing_page,
        records.referrer,
        case
            when lower(records.utm_medium) in ('cpc', 'ppc', 'paid', 'paid_search', 'paidsearch', 'paid_social', 'display') then 'paid'
            when lower(records.utm_medium) in ('email', 'e-mail', 'newsletter') then 'email'
            when lower(records.utm_medium) in ('social', 'social-media') then 'social'
            when lower(records.utm_medium) in ('organic') then 'search'
            when lower(records.utm_medium) in ('referral', 'affiliate', 'partner') then 'referral'
            when records.utm_medium is not null and lower(records.utm_medium) not in ('', 'direct', 'none', '(none)') then 'other'
            when lower(records.referrer) like '%google.%' or lower(records.referrer) like '%bing.%' or lower(records.referrer) like '%duckduckgo.%' then 'search'
            when lower(records.referrer) like '%linkedin.%' or lower(records.referrer) like '%twitter.%' or lower(records.referrer) like '%facebook.%' then 'social'
            when records.referrer is not null and records.referrer <> '' then 'referral'
            else 'direct'
        end as channel,
        records.utm_source,
        records.utm_medium,
        records.utm_campaign,
        records.country,
        {{ one_of('records.device', ['desktop', 'mobile', 'tablet']) }} as device,
        {{- select_custom_columns('visits', 'records') }}
        records.occurred_at,
        records.loaded_at
    from records
    {{- join_person('records', source='person_source') }}
    {{- only_new_or_relinked('records', false, true) }}
)
select * from final
