"""raw_zendesk.*: support: organisations, users, tickets, comments, satisfaction."""

from pipelines.extraction.assets import source_definitions
from pipelines.extraction.contracts import Entity, Inside, Source

zendesk = Source(
    name="zendesk",
    description="Support: organisations, users, tickets, comments, satisfaction.",
    owner="team:support",
    kinds=("zendesk",),
    entities=(
        Entity(
            name="organization",
            description="A customer company in the support tool. One row per version of the record.",
            columns={
                "id": "varchar",
                "name": "varchar",
                "external_id": "varchar",
                "domain_names": "varchar",
                "created_at": "timestamp",
                "updated_at": "timestamp",
            },
            key=("id",),
            version="updated_at",
            time="updated_at",
            required=("updated_at",),
        ),
        Entity(
            name="user",
            description="A person in the support tool. One row per version of the record.",
            columns={
                "id": "varchar",
                "email": "varchar",
                "name": "varchar",
                "role": "varchar",
                "organization_id": "varchar",
                "external_id": "varchar",
                "created_at": "timestamp",
                "updated_at": "timestamp",
            },
            key=("id",),
            version="updated_at",
            time="updated_at",
            required=("updated_at",),
        ),
        Entity(
            name="ticket",
            description="A request for help. One row per version of the record.",
            columns={
                "id": "varchar",
                "requester_id": "varchar",
                "organization_id": "varchar",
                "subject": "varchar",
                "description": "varchar",
                "status": "varchar",
                "priority": "varchar",
                "type": "varchar",
                "tags": "varchar",
                "via_channel": "varchar",
                "assignee_id": "varchar",
                "created_at": "timestamp",
                "updated_at": "timestamp",
                "solved_at": "timestamp",
            },
            key=("id",),
            version="updated_at",
            time="updated_at",
            required=("created_at", "updated_at"),
            labels={
                "id": ("Ticket ID",),
                "via_channel": ("via.channel", "Channel"),
                "solved_at": ("metric_set.solved_at",),
            },
            rules={
                "ticket solved before it was created": "solved_at >= created_at",
            },
        ),
        Entity(
            name="ticket_comment",
            description="A message in a ticket.",
            columns={
                "id": "varchar",
                "ticket_id": "varchar",
                "author_id": "varchar",
                "body": "varchar",
                "public": "boolean",
                "created_at": "timestamp",
            },
            key=("id",),
            time="created_at",
            required=("ticket_id", "created_at"),
            inside=Inside(entity="ticket", field="comments", keys={"ticket_id": "id"}),
        ),
        Entity(
            name="satisfaction_rating",
            description="How a requester rated a solved ticket.",
            columns={
                "id": "varchar",
                "ticket_id": "varchar",
                "requester_id": "varchar",
                "score": "varchar",
                "comment": "varchar",
                "created_at": "timestamp",
            },
            key=("id",),
            time="created_at",
            required=("ticket_id", "created_at"),
            inside=Inside(
                entity="ticket",
                field="satisfaction_rating",
                keys={"id": "id", "ticket_id": "id", "requester_id": "requester_id", "created_at": "updated_at"},
                only={"score": ("good", "bad")},
            ),
            rules={
                "score is neither good nor bad": "score in ('good','bad')",
            },
        ),
    ),
)

defs = source_definitions(zendesk)
