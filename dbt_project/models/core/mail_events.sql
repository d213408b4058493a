{{ grows_by('mail_event_key') }}

with records as (
    select
        mail_event_records.*,
        'e-mail' as person_source,
        email as person_key
    from {{ ref('mail_event_records') }} as mail_event_records
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
final as (
    select
        records.source_system || ':' || records.mail_event_id as mail_event_key,
        records.mail_event_id,
        records.source_system,
        records.person_source,
        records.person_key,
        {{- attributed_columns('records', false, true) }}
        {{ one_of('records.type', ['sent', 'delivered', 'open', 'click', 'bounce', 'unsubscribe']) }} as type,
        records.mail_campaign_id,
        records.occurred_at,
        records.loaded_at
    from records
    {{- join_person('records', source='person_source') }}
    {{- only_new_or_relinked('records', false, true) }}
)
select * from final
