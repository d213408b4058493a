with articles as (
    {{ raw_columns(source('raw_cms', 'article'), {
        'article_id': ['id', 'string'],
        'slug': ['slug', 'string'],
        'title': ['title', 'string'],
        'body': ['body', 'string'],
        'author': ['author', 'string'],
        'status': ['status', 'string'],
        'category': ['category', 'string'],
        'tags': ['tags', 'string'],
        'published_at': ['published_at', 'timestamp'],
        'known_at': ['updated_at', 'timestamp'],
    }, history={
        'key': 'article_id',
        'begins_at': 'published_at',
        'fixed': ['article_id', 'slug', 'title', 'author', 'published_at'],
        'begins_with': {'status': "'published'"},
    }) }}
)
select * from articles
