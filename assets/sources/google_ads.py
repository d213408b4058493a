"""raw_google_ads.*: paid search: one row per campaign and day."""

from pipelines.extraction.contracts import Entity, Source

google_ads = Source(
    name="google_ads",
    description="Paid search: one row per campaign and day.",
    owner="team:marketing",
    kinds=("googleads",),
    entities=(
        Entity(
            name="campaign_stats",
            description="What a campaign cost and brought on one day.",
            columns={
                "date": "date",
                "customer_id": "varchar",
                "campaign_id": "varchar",
                "campaign_name": "varchar",
                "campaign_status": "varchar",
                "impressions": "bigint",
                "clicks": "bigint",
                "cost_micros": "bigint",
                "conversions": "double",
                "currency_code": "varchar",
            },
            key=("date", "campaign_id"),
            time="date",
            time_unit="date",
            rules={
                "more clicks than impressions": "clicks <= impressions",
                "cost_micros is negative": "cost_micros >= 0",
            },
        ),
    ),
)
