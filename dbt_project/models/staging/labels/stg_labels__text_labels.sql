with text_labels as (
    {{ raw_columns(source('raw_labels', 'text_label'), {
        'model': ['model', 'string'],
        'record_key': ['key', 'string'],
        'label': ['label', 'string'],
        'labelled_by': ['labelled_by', 'string'],
        'known_at': ['labelled_at', 'timestamp'],
    }) }}
)
select * from text_labels
