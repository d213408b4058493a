{{ grows_by('usage_id') }}

with records as (
    {{ union_staging('usage', {
        'account_key': 'string',
        'usage_date': 'date',
        'active_users': 'bigint',
        'logins': 'bigint',
        'actions': 'bigint',
        'api_calls': 'bigint',
        'errors': 'bigint',
        'minutes_active': 'double',
        'known_at': 'timestamp',
    }) }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
final as (
    select
        records.source_system || ':' || records.account_key || ':' || cast(records.usage_date as {{ dbt.type_string() }}) as usage_id,
        records.source_system,
        records.account_key,
        {{- attributed_columns('records', true, false) }}
        records.usage_date,
        records.active_users,
        records.logins,
        records.actions,
        records.api_calls,
        records.errors,
        records.minutes_active,
        {{- select_custom_columns('usage', 'records') }}
        cast(records.usage_date as {{ dbt.type_timestamp() }}) as occurred_at,
        records.loaded_at
    from records
    {{- join_account('records') }}
    {{- only_new_or_relinked('records', true, false) }}
)
select * from final
