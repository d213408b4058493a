with reviews as (
    {{ raw_columns(source('raw_social', 'review'), {
        'review_key': ['review_id', 'string'],
        'platform': ['site', 'string'],
        'brand_mentioned': ['brand_mentioned', 'string'],
        'author_name': ['author_name', 'string'],
        'author_company': ['author_company', 'string'],
        'rating': ['rating', 'double'],
        'title': ['title', 'string'],
        'body': ['text', 'string'],
        'occurred_at': ['created_at', 'timestamp'],
        'collected_at': ['collected_at', 'timestamp'],
    }) }}
),
known_when_collected as (
    select
        reviews.*,
        'review:' || review_key as post_id,
        'review' as kind,
        coalesce(collected_at, occurred_at) as known_at
    from reviews
)
select * from known_when_collected
