"""raw_cms.*: articles of our site and help centre."""

from pipelines.extraction.contracts import Entity, Source

cms = Source(
    name="cms",
    description="Articles of our site and help centre.",
    owner="team:marketing",
    entities=(
        Entity(
            name="article",
            description="An article. One row per version of the record; `tags` is a comma-separated list.",
            columns={
                "id": "varchar",
                "slug": "varchar",
                "title": "varchar",
                "body": "varchar",
                "author": "varchar",
                "status": "varchar",
                "category": "varchar",
                "tags": "varchar",
                "published_at": "timestamp",
                "updated_at": "timestamp",
            },
            key=("id",),
            version="updated_at",
            time="updated_at",
            required=("updated_at",),
        ),
    ),
)
