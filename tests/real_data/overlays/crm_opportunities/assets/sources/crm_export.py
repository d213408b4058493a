"""raw_crm_export.*: a CRM's opportunities, accounts, products and sales teams, exported once."""

from pipelines.extraction.contracts import Entity, Source

crm_export = Source(
    name="crm_export",
    description="A CRM, exported once: the deals as they stand, without their history.",
    owner="team:sales",
    entities=(
        Entity(
            name="sales_pipeline",
            description="A deal: when it was engaged, when and how it closed.",
            columns={
                "opportunity_id": "varchar",
                "sales_agent": "varchar",
                "product": "varchar",
                "account": "varchar",
                "deal_stage": "varchar",
                "engage_date": "date",
                "close_date": "date",
                "close_value": "double",
            },
            key=("opportunity_id",),
            time="close_date",
            time_unit="date",
            date_format="%m/%d/%Y",
            rules={
                "deal_stage is unknown": "deal_stage in ('Prospecting', 'Engaging', 'Won', 'Lost')",
                "closed before it was engaged": "close_date >= engage_date",
            },
        ),
        Entity(
            name="accounts",
            description="A customer company.",
            columns={
                "account": "varchar",
                "sector": "varchar",
                "year_established": "bigint",
                "revenue": "double",
                "employees": "bigint",
                "office_location": "varchar",
                "subsidiary_of": "varchar",
            },
            key=("account",),
        ),
        Entity(
            name="products",
            description="A product and its list price.",
            columns={"product": "varchar", "series": "varchar", "sales_price": "double"},
            key=("product",),
        ),
        Entity(
            name="sales_teams",
            description="Who sells, for which manager and office.",
            columns={"sales_agent": "varchar", "manager": "varchar", "regional_office": "varchar"},
            key=("sales_agent",),
        ),
    ),
)
