with posts as (
    select * from {{ ref('posts') }}
),
sentiments as (
    {{ scored_texts('post_sentiment', {'post_id': 'string', 'predicted': 'string', 'is_about_competitor': 'boolean'}) }}
),
final as (
    select
        posts.post_id,
        posts.source_system,
        posts.account_id,
        posts.recorded_account_id,
        posts.person_id,
        posts.recorded_person_id,
        sentiments.predicted as sentiment,
        case
            when sentiments.predicted is null then null
            when sentiments.predicted = 'negative' and not coalesce(sentiments.is_about_competitor, false) then 1
            else 0
        end as negative_posts_about_us,
        case
            when sentiments.predicted is null then null
            when sentiments.predicted = 'negative' and sentiments.is_about_competitor then 1
            else 0
        end as negative_posts_about_competitors,
        posts.occurred_at,
        posts.known_at
    from posts
    left join sentiments on posts.post_id = sentiments.post_id
)
select * from final
