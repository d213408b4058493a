with page_views as (
    {{ raw_columns(source('raw_web', 'page_view'), {
        'page_view_id': ['page_view_id', 'string'],
        'visit_id': ['session_id', 'string'],
        'anonymous_id': ['anonymous_id', 'string'],
        'path': ['path', 'string'],
        'title': ['title', 'string'],
        'occurred_at': ['viewed_at', 'timestamp'],
        'received_at': ['received_at', 'timestamp'],
    }) }}
),
known_when_received as (
    select
        page_views.*,
        coalesce(received_at, occurred_at) as known_at
    from page_views
)
select * from known_when_received
