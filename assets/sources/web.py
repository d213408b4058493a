"""raw_web.*: web analytics of our site."""

from pipelines.extraction.contracts import Entity, Source

web = Source(
    name="web",
    description="Web analytics of our site.",
    owner="team:marketing",
    entities=(
        Entity(
            name="session",
            description="A visit to the site.",
            columns={
                "session_id": "varchar",
                "anonymous_id": "varchar",
                "user_id": "varchar",
                "session_start": "timestamp",
                "session_end": "timestamp",
                "received_at": "timestamp",
                "pageviews": "bigint",
                "landing_page": "varchar",
                "referrer": "varchar",
                "utm_source": "varchar",
                "utm_medium": "varchar",
                "utm_campaign": "varchar",
                "country": "varchar",
                "device_category": "varchar",
            },
            key=("session_id",),
            time="received_at",
            required=("session_start",),
            rules={
                "session ends before it starts": "session_end >= session_start",
            },
        ),
        Entity(
            name="page_view",
            description="A page that was looked at in a visit.",
            columns={
                "page_view_id": "varchar",
                "session_id": "varchar",
                "anonymous_id": "varchar",
                "path": "varchar",
                "title": "varchar",
                "viewed_at": "timestamp",
                "received_at": "timestamp",
            },
            key=("page_view_id",),
            time="received_at",
            required=("session_id", "viewed_at"),
        ),
    ),
)
