{%- set columns = {
    'post_id': 'string',
    'kind': 'string',
    'platform': 'string',
    'author_handle': 'string',
    'author_name': 'string',
    'author_company': 'string',
    'title': 'free_text',
    'body': 'free_text',
    'url': 'string',
    'brand_mentioned': 'string',
    'rating': 'double',
    'likes': 'bigint',
    'shares': 'bigint',
    'replies': 'bigint',
    'occurred_at': 'timestamp',
    'known_at': 'timestamp',
} -%}

with posts as (
    {{ union_staging('posts', columns) }}
),
reviews as (
    {{ union_staging('reviews', columns) }}
),
posts_and_reviews as (
    select {{ columns | join(', ') }}, source_system from posts
    union all
    select {{ columns | join(', ') }}, source_system from reviews
)
select * from posts_and_reviews
