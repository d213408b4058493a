"""raw_hubspot.*: marketing mail and forms."""

from pipelines.extraction.assets import source_definitions
from pipelines.extraction.contracts import Entity, Source

hubspot = Source(
    name="hubspot",
    description="Marketing mail and forms.",
    owner="team:marketing",
    kinds=("hubspot",),
    entities=(
        Entity(
            name="contact",
            description="A person in the marketing tool. One row per version of the record.",
            columns={
                "id": "varchar",
                "email": "varchar",
                "firstname": "varchar",
                "lastname": "varchar",
                "company": "varchar",
                "website": "varchar",
                "city": "varchar",
                "country": "varchar",
                "twitterhandle": "varchar",
                "linkedinbio": "varchar",
                "salesforceleadid": "varchar",
                "salesforcecontactid": "varchar",
                "createdate": "timestamp",
                "lastmodifieddate": "timestamp",
            },
            key=("id",),
            version="lastmodifieddate",
            time="lastmodifieddate",
            required=("lastmodifieddate",),
        ),
        Entity(
            name="email_event",
            description="What happened to a marketing e-mail: sent, delivered, opened, clicked, bounced, unsubscribed.",
            columns={
                "id": "varchar",
                "recipient": "varchar",
                "type": "varchar",
                "emailCampaignId": "varchar",
                "created": "bigint",
                "receivedAt": "bigint",
            },
            key=("id",),
            time="receivedAt",
            time_unit="epoch_ms",
            epochs=("created",),
            required=("recipient", "type", "created"),
            rules={
                "type is not an e-mail event": "type in ('SENT','DELIVERED','OPEN','CLICK','BOUNCE','UNSUBSCRIBED')",
            },
        ),
        Entity(
            name="form_submission",
            description="A form that a visitor filled in.",
            columns={
                "conversionId": "varchar",
                "formId": "varchar",
                "formTitle": "varchar",
                "pageUrl": "varchar",
                "email": "varchar",
                "visitorId": "varchar",
                "submittedAt": "bigint",
            },
            key=("conversionId",),
            time="submittedAt",
            time_unit="epoch_ms",
            required=("submittedAt",),
        ),
    ),
)

defs = source_definitions(hubspot)
