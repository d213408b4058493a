with records as (
    select
        form_records.*,
        case when email is not null then 'e-mail' else 'anonymous id' end as person_source,
        coalesce(email, anonymous_id) as person_key
    from {{ ref('form_records') }} as form_records
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
final as (
    select
        records.form_submission_id,
        records.source_system,
        {{- attributed_columns('records', false, true) }}
        records.form_id,
        records.form_title,
        records.page_url,
        records.anonymous_id,
        records.occurred_at
    from records
    {{- join_person('records', source='person_source') }}
)
select * from final
