with posts as (
    {{ raw_columns(source('raw_social', 'post'), {
        'post_key': ['post_id', 'string'],
        'platform': ['platform', 'string'],
        'author_handle': ['author_handle', 'string'],
        'author_name': ['author_name', 'string'],
        'body': ['text', 'string'],
        'url': ['url', 'string'],
        'brand_mentioned': ['brand_mentioned', 'string'],
        'likes': ['likes', 'bigint'],
        'shares': ['shares', 'bigint'],
        'replies': ['replies', 'bigint'],
        'occurred_at': ['created_at', 'timestamp'],
        'collected_at': ['collected_at', 'timestamp'],
    }) }}
),
known_when_collected as (
    select
        posts.*,
        'post:' || post_key as post_id,
        'post' as kind,
        coalesce(collected_at, occurred_at) as known_at
    from posts
)
select * from known_when_collected
