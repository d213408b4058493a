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
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
handles as (
    select
        source_system as source,
        person_key as identifier,
        {{ handle_key('twitter_handle') }} as handle,
        min(lower(trim(full_name))) as full_name,
        min(known_at) as known_at
    from {{ ref('person_records') }}
    where not is_deleted and {{ handle_key('twitter_handle') }} is not null
    group by source_system, person_key, {{ handle_key('twitter_handle') }}
),
{#- the handle is that of Twitter; who has it elsewhere has to have the name, too -#}
claims_of_people as (
    select
        posts_and_reviews.post_id,
        posts_and_reviews.known_at as row_known_at,
        handles.source,
        handles.identifier,
        handles.known_at
    from posts_and_reviews
    inner join handles on {{ handle_key('posts_and_reviews.author_handle') }} = handles.handle
    where
        lower(coalesce(posts_and_reviews.platform, 'x')) in ('twitter', 'twitter.com', 'x', 'x.com')
        or lower(trim(posts_and_reviews.author_name)) = handles.full_name
),
people as (
    {{ sole_claims('person', 'post_id', 'claims_of_people') }}
),
company_names as (
    select
        source_system as source,
        account_key as identifier,
        {{ company_name_key('account_name') }} as company_name,
        min(known_at) as known_at
    from {{ ref('account_records') }}
    where not coalesce(is_deleted, false) and {{ company_name_key('account_name') }} is not null
    group by source_system, account_key, {{ company_name_key('account_name') }}
),
claims_of_accounts as (
    select
        posts_and_reviews.post_id,
        posts_and_reviews.known_at as row_known_at,
        company_names.source,
        company_names.identifier,
        company_names.known_at
    from posts_and_reviews
    inner join company_names on {{ company_name_key('posts_and_reviews.author_company') }} = company_names.company_name
),
accounts as (
    {{ sole_claims('account', 'post_id', 'claims_of_accounts') }}
),
by_author as (
    select
        {%- for name in columns if name != 'known_at' %}
        posts_and_reviews.{{ name }},
        {%- endfor %}
        posts_and_reviews.source_system,
        people.source as person_source,
        people.identifier as person_key,
        accounts.source as account_source,
        accounts.identifier as account_key,
        greatest(
            posts_and_reviews.known_at,
            coalesce(people.claimed_at, posts_and_reviews.known_at),
            coalesce(accounts.claimed_at, posts_and_reviews.known_at)
        ) as known_at
    from posts_and_reviews
    left join people on posts_and_reviews.post_id = people.post_id
    left join accounts on posts_and_reviews.post_id = accounts.post_id
),
final as (
    select
        by_author.post_id,
        by_author.source_system,
        {{- attributed_columns('by_author', true, true) }}
        {%- for name in columns if name not in ('post_id', 'known_at', 'occurred_at') %}
        by_author.{{ name }},
        {%- endfor %}
        by_author.occurred_at
    from by_author
    {{- join_account('by_author', source='account_source') }}
    {{- join_person('by_author', source='person_source', has_account=true) }}
)
select * from final
