with records as (
    {{ union_staging('text_labels', {
        'model': 'string',
        'record_key': 'string',
        'label': 'string',
        'labelled_by': 'string',
        'known_at': 'timestamp',
    }) }}
),
trimmed as (
    select
        trim(model) as model,
        trim(record_key) as record_key,
        source_system,
        trim(label) as label,
        labelled_by,
        {{- select_custom_columns('text_labels', 'records') }}
        known_at
    from records
),
ordered as (
    select
        trimmed.*,
        row_number() over (
            partition by model, record_key
            order by known_at desc, source_system, label
        ) as place_from_last
    from trimmed
),
final as (
    select
        model,
        record_key,
        source_system,
        label,
        labelled_by,
        {{- select_custom_columns('text_labels', 'ordered') }}
        known_at
    from ordered
    where place_from_last = 1
)
select * from final
