"""raw_product.*: our own product's usage."""

from pipelines.extraction.contracts import Entity, Source

product = Source(
    name="product",
    description="Our own product's usage.",
    owner="team:product",
    entities=(
        Entity(
            name="workspace",
            description="A company's workspace in the product. One row per version of the record.",
            columns={
                "workspace_id": "varchar",
                "name": "varchar",
                "company_domain": "varchar",
                "stripe_customer_id": "varchar",
                "plan": "varchar",
                "seats": "bigint",
                "created_at": "timestamp",
                "updated_at": "timestamp",
            },
            key=("workspace_id",),
            references={"stripe_customer_id": ("stripe.customer",)},
            version="updated_at",
            time="updated_at",
            required=("updated_at",),
        ),
        Entity(
            name="usage_daily",
            description="What one workspace did on one day.",
            columns={
                "date": "date",
                "workspace_id": "varchar",
                "active_users": "bigint",
                "logins": "bigint",
                "actions": "bigint",
                "api_calls": "bigint",
                "errors": "bigint",
                "minutes_active": "double",
                "received_at": "timestamp",
            },
            key=("date", "workspace_id"),
            references={"workspace_id": ("workspace",)},
            time="received_at",
            rules={
                "active_users is negative": "active_users >= 0",
                "logins is negative": "logins >= 0",
                "actions is negative": "actions >= 0",
                "more than 24 hours of activity per user": "minutes_active <= 1440 * greatest(active_users, 1)",
            },
        ),
    ),
)
