"""raw_social.*: posts and reviews that mention us or a competitor."""

from pipelines.extraction.contracts import Entity, Source

social = Source(
    name="social",
    description="Posts and reviews that mention us or a competitor.",
    owner="team:marketing",
    entities=(
        Entity(
            name="post",
            description="A social post.",
            columns={
                "post_id": "varchar",
                "platform": "varchar",
                "author_handle": "varchar",
                "author_name": "varchar",
                "text": "varchar",
                "url": "varchar",
                "brand_mentioned": "varchar",
                "likes": "bigint",
                "shares": "bigint",
                "replies": "bigint",
                "created_at": "timestamp",
                "collected_at": "timestamp",
            },
            key=("post_id",),
            time="collected_at",
            required=("text", "created_at"),
            rules={
                "likes is negative": "likes >= 0",
            },
        ),
        Entity(
            name="review",
            description="A review on a review site.",
            columns={
                "review_id": "varchar",
                "site": "varchar",
                "brand_mentioned": "varchar",
                "author_name": "varchar",
                "author_company": "varchar",
                "rating": "double",
                "title": "varchar",
                "text": "varchar",
                "created_at": "timestamp",
                "collected_at": "timestamp",
            },
            key=("review_id",),
            time="collected_at",
            required=("created_at",),
            rules={
                "rating is not between 1 and 5": "rating between 1 and 5",
            },
        ),
    ),
)
