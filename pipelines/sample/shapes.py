"""The vendors' shapes: which columns an export of each entity has, in what format, and when a row is known."""

from dataclasses import dataclass

TEXT, WHOLE, NUMBER, FLAG, DAY_DATE, TIME, SECONDS, MILLISECONDS, NESTED = (
    "text", "whole", "number", "flag", "date", "time", "epoch_s", "epoch_ms", "json",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """How one entity is exported."""

    source: str
    entity: str
    format: str
    """`csv`, `jsonl` or `parquet`."""
    known: str
    """The column that says when a row became known."""
    key: tuple[str, ...]
    columns: dict[str, str]

    @property
    def name(self) -> str:
        """`<source>.<entity>`."""
        return f"{self.source}.{self.entity}"


def _columns(text: str) -> dict[str, str]:
    """`name` and `name:kind` in order; a name without a kind is a text."""
    parts = [word.partition(":") for word in text.split()]
    return {name: kind or TEXT for name, _, kind in parts}


SHAPES = (
    Shape(
        "salesforce",
        "account",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id Name Type Industry NumberOfEmployees:whole AnnualRevenue:number Website Phone BillingCountry "
            "BillingCity OwnerId IsDeleted:flag MasterRecordId CreatedDate:time SystemModstamp:time "
            "Implementation_Partner__c Billing_Batch__c"
        ),
    ),
    Shape(
        "salesforce",
        "contact",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id AccountId FirstName LastName Email Phone Title MailingCountry MailingCity LeadSource OwnerId "
            "IsDeleted:flag MasterRecordId CreatedDate:time SystemModstamp:time"
        ),
    ),
    Shape(
        "salesforce",
        "lead",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id FirstName LastName Email Phone Company Title Website Industry NumberOfEmployees:whole Country "
            "City LeadSource Status Rating OwnerId IsConverted:flag ConvertedDate:date ConvertedAccountId "
            "ConvertedContactId ConvertedOpportunityId IsDeleted:flag MasterRecordId CreatedDate:time "
            "SystemModstamp:time"
        ),
    ),
    Shape(
        "salesforce",
        "opportunity",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id AccountId Name StageName Amount:number Probability:number CloseDate:date Type LeadSource "
            "ForecastCategory OwnerId CampaignId IsClosed:flag IsWon:flag CurrencyIsoCode IsDeleted:flag "
            "CreatedDate:time SystemModstamp:time"
        ),
    ),
    Shape(
        "salesforce",
        "opportunity_history",
        "csv",
        "CreatedDate",
        ("Id",),
        _columns("Id OpportunityId StageName Amount:number Probability:number CloseDate:date CreatedDate:time"),
    ),
    Shape(
        "salesforce",
        "campaign",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id Name Type Status StartDate:date EndDate:date BudgetedCost:number ActualCost:number "
            "IsActive:flag CreatedDate:time SystemModstamp:time"
        ),
    ),
    Shape(
        "salesforce",
        "campaign_member",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id CampaignId LeadId ContactId Status HasResponded:flag FirstRespondedDate:date CreatedDate:time "
            "SystemModstamp:time"
        ),
    ),
    Shape(
        "salesforce",
        "task",
        "csv",
        "SystemModstamp",
        ("Id",),
        _columns(
            "Id WhoId WhatId AccountId Subject TaskSubtype Status Priority ActivityDate:date "
            "CompletedDateTime:time OwnerId IsDeleted:flag CreatedDate:time SystemModstamp:time"
        ),
    ),
    Shape(
        "hubspot",
        "contact",
        "jsonl",
        "lastmodifieddate",
        ("id",),
        _columns(
            "id email firstname lastname company website city country twitterhandle linkedinbio "
            "salesforceleadid salesforcecontactid createdate:time lastmodifieddate:time"
        ),
    ),
    Shape(
        "hubspot",
        "email_event",
        "jsonl",
        "receivedAt",
        ("id",),
        _columns("id recipient type emailCampaignId created:epoch_ms receivedAt:epoch_ms"),
    ),
    Shape(
        "hubspot",
        "form_submission",
        "jsonl",
        "submittedAt",
        ("conversionId",),
        _columns("conversionId formId formTitle pageUrl email visitorId submittedAt:epoch_ms"),
    ),
    Shape(
        "google_ads",
        "campaign_stats",
        "csv",
        "date",
        ("date", "campaign_id"),
        _columns(
            "date:date customer_id campaign_id campaign_name campaign_status impressions:whole clicks:whole "
            "cost_micros:whole conversions:number currency_code"
        ),
    ),
    Shape(
        "web",
        "session",
        "parquet",
        "received_at",
        ("session_id",),
        _columns(
            "session_id anonymous_id user_id session_start:time session_end:time received_at:time "
            "pageviews:whole landing_page referrer utm_source utm_medium utm_campaign country device_category"
        ),
    ),
    Shape(
        "web",
        "page_view",
        "parquet",
        "received_at",
        ("page_view_id",),
        _columns("page_view_id session_id anonymous_id path title viewed_at:time received_at:time"),
    ),
    Shape(
        "stripe",
        "customer",
        "jsonl",
        "updated",
        ("id",),
        _columns(
            "id name email phone currency address_country delinquent:flag metadata:json deleted:flag "
            "created:epoch_s updated:epoch_s"
        ),
    ),
    Shape(
        "stripe",
        "subscription",
        "jsonl",
        "updated",
        ("id",),
        _columns(
            "id customer status plan_id plan_nickname plan_amount:whole plan_interval quantity:whole currency "
            "created:epoch_s start_date:epoch_s current_period_start:epoch_s current_period_end:epoch_s "
            "cancel_at_period_end:flag canceled_at:epoch_s ended_at:epoch_s trial_end:epoch_s updated:epoch_s"
        ),
    ),
    Shape(
        "stripe",
        "invoice",
        "jsonl",
        "updated",
        ("id",),
        _columns(
            "id customer subscription number status billing_reason currency amount_due:whole "
            "amount_paid:whole attempt_count:whole created:epoch_s due_date:epoch_s paid_at:epoch_s "
            "updated:epoch_s"
        ),
    ),
    Shape(
        "product",
        "workspace",
        "parquet",
        "updated_at",
        ("workspace_id",),
        _columns(
            "workspace_id name company_domain stripe_customer_id plan seats:whole created_at:time updated_at:time"
        ),
    ),
    Shape(
        "product",
        "usage_daily",
        "parquet",
        "received_at",
        ("date", "workspace_id"),
        _columns(
            "date:date workspace_id active_users:whole logins:whole actions:whole api_calls:whole "
            "errors:whole minutes_active:number received_at:time"
        ),
    ),
    Shape(
        "zendesk",
        "organization",
        "jsonl",
        "updated_at",
        ("id",),
        _columns("id name external_id domain_names created_at:time updated_at:time"),
    ),
    Shape(
        "zendesk",
        "user",
        "jsonl",
        "updated_at",
        ("id",),
        _columns("id email name role organization_id external_id created_at:time updated_at:time"),
    ),
    Shape(
        "zendesk",
        "ticket",
        "jsonl",
        "updated_at",
        ("id",),
        _columns(
            "id requester_id organization_id subject description status priority type tags via_channel "
            "assignee_id created_at:time updated_at:time solved_at:time"
        ),
    ),
    Shape(
        "zendesk",
        "ticket_comment",
        "jsonl",
        "created_at",
        ("id",),
        _columns("id ticket_id author_id body public:flag created_at:time"),
    ),
    Shape(
        "zendesk",
        "satisfaction_rating",
        "jsonl",
        "created_at",
        ("id",),
        _columns("id ticket_id requester_id score comment created_at:time"),
    ),
    Shape(
        "social",
        "post",
        "jsonl",
        "collected_at",
        ("post_id",),
        _columns(
            "post_id platform author_handle author_name text url brand_mentioned likes:whole shares:whole "
            "replies:whole created_at:time collected_at:time"
        ),
    ),
    Shape(
        "social",
        "review",
        "jsonl",
        "collected_at",
        ("review_id",),
        _columns(
            "review_id site brand_mentioned author_name author_company rating:number title text "
            "created_at:time collected_at:time"
        ),
    ),
    Shape(
        "cms",
        "article",
        "jsonl",
        "updated_at",
        ("id",),
        _columns("id slug title body author status category tags published_at:time updated_at:time"),
    ),
    Shape(
        "labels",
        "text_label",
        "csv",
        "labelled_at",
        ("model", "key"),
        _columns("model key label labelled_at:time labelled_by"),
    ),
)
