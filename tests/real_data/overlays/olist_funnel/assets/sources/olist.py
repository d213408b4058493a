"""raw_olist.*: marketing qualified leads of a marketplace, and the deals that they became."""

from pipelines.extraction.contracts import Entity, Source

olist = Source(
    name="olist",
    description="A marketplace's funnel of sellers.",
    owner="team:sales",
    entities=(
        Entity(
            name="marketing_qualified_leads",
            description="A seller who asked to be contacted.",
            columns={
                "mql_id": "varchar",
                "first_contact_date": "date",
                "landing_page_id": "varchar",
                "origin": "varchar",
            },
            key=("mql_id",),
            time="first_contact_date",
            time_unit="date",
            required=("first_contact_date",),
        ),
        Entity(
            name="closed_deals",
            description="A lead that became a seller; its columns are only known for these.",
            columns={"mql_id": "varchar", "seller_id": "varchar", "won_date": "timestamp"},
            key=("mql_id",),
            time="won_date",
            required=("won_date",),
        ),
    ),
)
