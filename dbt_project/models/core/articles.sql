with records as (
    {{ union_staging('articles', {
        'article_id': 'string',
        'slug': 'string',
        'title': 'free_text',
        'body': 'free_text',
        'author': 'string',
        'status': 'string',
        'category': 'string',
        'tags': 'string',
        'published_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
ordered as (
    select
        records.*,
        min(known_at) over (partition by source_system, article_id) as first_known_at,
        row_number() over (partition by source_system, article_id order by known_at desc) as place_from_last
    from records
),
final as (
    select
        article_id,
        source_system,
        slug,
        title,
        body,
        author,
        status,
        category,
        tags,
        {{- select_custom_columns('articles', 'ordered') }}
        published_at,
        known_at as updated_at,
        first_known_at as known_at
    from ordered
    where place_from_last = 1
)
select * from final
