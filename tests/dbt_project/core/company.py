# ruff: noqa: E501 (a raw row a line reads better)
"""A small company told in raw rows: each person and company below is one case of identity or of time."""

from tests.dbt_project.warehouses import epoch, epoch_ms


def account(key: str, name: str, known: str, **fields: object) -> dict:
    created = fields.pop("created", known)
    return {
        "Id": key,
        "Name": name,
        "IsDeleted": False,
        "CreatedDate": created,
        "SystemModstamp": known,
        **fields,
    }


def lead(key: str, email: str | None, known: str, **fields: object) -> dict:
    created = fields.pop("created", known)
    return {
        "Id": key,
        "Email": email,
        "Status": "Open",
        "IsConverted": False,
        "IsDeleted": False,
        "CreatedDate": created,
        "SystemModstamp": known,
        **fields,
    }


def customer(key: str, email: str, known: str, metadata: str | None = None) -> dict:
    return {
        "id": key,
        "name": key,
        "email": email,
        "metadata": metadata,
        "created": epoch(known),
        "updated": epoch(known),
    }


def subscription(key: str, customer_key: str, status: str, known: str, amount: int = 10_000, **fields: object) -> dict:
    return {
        "id": key,
        "customer": customer_key,
        "status": status,
        "plan_amount": amount,
        "plan_interval": "month",
        "quantity": 1,
        "currency": "eur",
        "created": epoch("2025-01-10"),
        "start_date": epoch("2025-01-10"),
        "updated": epoch(known),
        **fields,
    }


def visit(key: str, anonymous: str, start: str, user: str | None = None) -> dict:
    return {
        "session_id": key,
        "anonymous_id": anonymous,
        "user_id": user,
        "session_start": start,
        "session_end": start,
        "received_at": start,
        "pageviews": 3,
    }


def usage(workspace: str, date: str, logins: int) -> dict:
    return {
        "date": date,
        "workspace_id": workspace,
        "active_users": 1,
        "logins": logins,
        "actions": logins * 10,
        "minutes_active": 5.0,
        "received_at": f"{date} 23:00",
    }


RAW: dict[str, list[dict]] = {
    "salesforce.account": [
        account("A-exact", "Exact", "2025-01-01", Website="https://www.exact.com/home", Industry_Segment__c="smb"),
        account("A-mail", "Mail", "2025-01-01", Website="mail-co.com", OwnerId="005-2"),
        account("A-domain", "Domain", "2025-01-01", Website="http://domain.io"),
        account("A-twin", "Domain twin", "2025-01-05", Website="domain.io"),
        account("A-free", "Free", "2025-01-01", Website="gmail.com"),
        account("A-loser", "Loser", "2025-01-01", Website="loser.com"),
        account("A-loser", "Loser", "2025-03-01", IsDeleted=True, MasterRecordId="A-winner", created="2025-01-01"),
        account("A-winner", "Winner", "2025-01-02", Website="winner.com"),
        account("A-gone", "Gone", "2025-01-01", Website="gone.com"),
        account("A-gone", "Gone", "2025-04-01", IsDeleted=True, created="2025-01-01"),
        account("A-late", "Late", "2025-02-01", Website="late.com"),
        account("A-changing", "Before", "2025-01-01", Industry="Retail", Industry_Segment__c="smb"),
        account("A-changing", "After", "2025-03-01", Industry="Banking", created="2025-01-01"),
        account("A-ring-1", "Ring", "2025-01-01"),
        account("A-ring-2", "Ring", "2025-01-01"),
        account("A-ring-1", "Ring", "2025-02-01", IsDeleted=True, MasterRecordId="A-ring-2", created="2025-01-01"),
        account("A-ring-2", "Ring", "2025-03-01", IsDeleted=True, MasterRecordId="A-ring-1", created="2025-01-01"),
    ],
    "salesforce.contact": [
        {"Id": "C-mail", "AccountId": "A-mail", "Email": "Paula@Partner.net", "CreatedDate": "2025-01-02", "SystemModstamp": "2025-01-02"},
        {"Id": "C-1", "AccountId": "A-exact", "FirstName": "Ann", "Email": "ann@exact.com", "Phone": "+49 1", "Title": "CTO", "CreatedDate": "2025-01-03", "SystemModstamp": "2025-01-03"},
        {"Id": "C-nomail", "AccountId": "A-exact", "LastName": "Kim", "Email": None, "CreatedDate": "2025-02-10", "SystemModstamp": "2025-02-10"},
    ],
    "salesforce.lead": [
        lead("L-1", "dana@domain.io", "2025-01-10", OwnerId="005-2"),
        lead("L-2", "DANA@domain.io ", "2025-02-10"),
        lead("L-free", "joe@gmail.com", "2025-01-10"),
        lead("L-key", "kim@exact.com", "2025-01-10"),
        lead("L-key", "kim@exact.com", "2025-02-11", created="2025-01-10", IsConverted=True, Status="Converted",
             ConvertedDate="2025-02-11", ConvertedAccountId="A-exact", ConvertedContactId="C-nomail"),
        lead("L-nomail", None, "2025-01-10"),
        lead("L-given-up", None, "2025-01-10"),
        lead("L-given-up", None, "2025-02-11", created="2025-01-10", Status="Closed - Not Converted"),
        lead("L-given-up", None, "2025-03-11", created="2025-01-10", Status="Working - Contacted"),
        lead("L-merged", "m1@gmail.com", "2025-01-10"),
        lead("L-into", "m2@gmail.com", "2025-01-10"),
        lead("L-merged", "m1@gmail.com", "2025-02-20", created="2025-01-10", IsDeleted=True, MasterRecordId="L-into"),
        lead("L-merged-early", "m2@gmail.com", "2025-01-10"),
        lead("L-merged-early", "m2@gmail.com", "2025-01-20", created="2025-01-10", IsDeleted=True, MasterRecordId="L-into"),
    ],
    "salesforce.opportunity": [
        {"Id": "O-1", "AccountId": "A-exact", "StageName": "Prospecting", "Amount": 100.0, "IsClosed": False, "IsWon": False, "CreatedDate": "2025-01-05", "SystemModstamp": "2025-01-05"},
        {"Id": "O-1", "AccountId": "A-exact", "StageName": "Closed Won", "Amount": 90.0, "OwnerId": "005-1", "OwnerName": "Mara Stein", "IsClosed": True, "IsWon": True, "CreatedDate": "2025-01-05", "SystemModstamp": "2025-02-05"},
    ],
    "salesforce.opportunity_history": [
        {"Id": "H-1", "OpportunityId": "O-1", "StageName": "Prospecting", "Amount": 100.0, "CreatedDate": "2025-01-05"},
        {"Id": "H-2", "OpportunityId": "O-1", "StageName": "Closed Won", "Amount": 90.0, "CreatedDate": "2025-02-05"},
        {"Id": "H-3", "OpportunityId": "O-1", "StageName": "Closed Won", "Amount": 95.0, "CreatedDate": "2025-03-05"},
    ],
    "salesforce.user": [
        {"Id": "005-2", "FirstName": "Before", "LastName": "Marriage", "Username": "ola", "SystemModstamp": "2025-01-01"},
        {"Id": "005-2", "FirstName": "Ola", "LastName": "Nord", "Username": "ola", "SystemModstamp": "2025-01-02"},
    ],
    "salesforce.campaign_member": [
        {"Id": "M-1", "CampaignId": "K-1", "LeadId": "L-1", "HasResponded": False, "CreatedDate": "2025-01-12", "SystemModstamp": "2025-01-12"},
        {"Id": "M-1", "CampaignId": "K-1", "LeadId": "L-1", "HasResponded": True, "FirstRespondedDate": "2025-01-20", "CreatedDate": "2025-01-12", "SystemModstamp": "2025-01-20"},
    ],
    "salesforce.task": [
        {"Id": "T-1", "WhoId": "L-1", "TaskSubtype": "Call", "CreatedDate": "2025-01-13", "SystemModstamp": "2025-01-13"},
        {"Id": "T-3", "WhoId": "C-nomail", "TaskSubtype": "Call", "CreatedDate": "2025-03-13", "SystemModstamp": "2025-03-13"},
        {"Id": "T-2", "WhoId": "C-1", "AccountId": "A-exact", "TaskSubtype": "ListEmail", "CreatedDate": "2025-01-13", "SystemModstamp": "2025-01-13"},
    ],
    "hubspot.contact": [
        {"id": "h-1", "email": "dana.private@gmail.com", "salesforceleadid": "L-1", "firstname": "Dana", "phone": "+49 2", "twitterhandle": "dana", "createdate": "2025-01-15", "lastmodifieddate": "2025-01-15"},
    ],
    "hubspot.form_submission": [
        {"conversionId": "f-1", "formTitle": "Demo", "email": "dana@domain.io", "visitorId": "anon-dana", "submittedAt": epoch_ms("2025-02-01T12:00:00")},
        {"conversionId": "f-2", "formTitle": "Demo", "email": "other@nowhere.org", "visitorId": "anon-dana", "submittedAt": epoch_ms("2025-05-01T12:00:00")},
    ],
    "hubspot.email_event": [
        {"id": "e-1", "recipient": "dana@domain.io", "type": "OPEN", "created": epoch_ms("2025-01-20"), "receivedAt": epoch_ms("2025-01-21")},
    ],
    "web.session": [
        visit("v-1", "anon-dana", "2025-01-20 10:00"),
        visit("v-2", "anon-dana", "2025-02-20 10:00"),
        visit("v-3", "anon-nobody", "2025-02-20 10:00"),
        visit("v-4", "anon-x", "2025-02-20 10:00", user="ann@exact.com"),
    ],
    "web.page_view": [
        {"page_view_id": "p-1", "session_id": "v-1", "anonymous_id": "anon-dana", "path": "/pricing", "viewed_at": "2025-01-20 10:00", "received_at": "2025-01-20 10:00"},
        {"page_view_id": "p-2", "session_id": "v-2", "anonymous_id": "anon-dana", "path": "/pricing", "viewed_at": "2025-02-20 10:00", "received_at": "2025-02-20 10:00"},
    ],
    "google_ads.campaign_stats": [
        {"date": day, "customer_id": "g-1", "campaign_id": "a-1", "campaign_name": "Brand", "impressions": 100, "clicks": 5, "cost_micros": 7_000_000, "currency_code": "EUR"}
        for day in ("2025-01-20", "2025-02-20")
    ],
    "social.post": [
        {"post_id": f"s-{day}", "platform": "x", "text": "Exact is fine", "created_at": day, "collected_at": day}
        for day in ("2025-01-20", "2025-02-20")
    ],
    "labels.text_label": [
        {"model": "post_sentiment", "key": f" post:s-2025-{month}-20", "label": "positive ", "labelled_at": f"2025-{month}-25", "labelled_by": "ann"}
        for month in ("01", "02")
    ],
    "stripe.customer": [
        customer("cus-exact", "billing@mail-co.com", "2025-01-06", '{"salesforce_account_id": "A-exact"}'),
        customer("cus-mail", "paula@partner.net", "2025-01-06"),
        customer("cus-domain", "billing@domain.io", "2025-01-06"),
        customer("cus-free", "owner@gmail.com", "2025-01-06"),
        customer("cus-loser", "billing@loser.com", "2025-01-06"),
        customer("cus-late", "pay@elsewhere.com", "2025-01-06"),
        {**customer("cus-late", "pay@elsewhere.com", "2025-02-15", '{"salesforce_account_id": "A-late"}'), "created": epoch("2025-01-06")},
    ],
    "stripe.subscription": [
        subscription("s-exact", "cus-exact", "active", "2025-01-10"),
        subscription("s-exact", "cus-exact", "active", "2025-02-10", amount=15_000),
        subscription("s-exact", "cus-exact", "canceled", "2025-05-10", amount=15_000, ended_at=epoch("2025-05-10")),
        subscription("s-loser", "cus-loser", "active", "2025-01-10"),
        subscription("s-yen", "cus-domain", "active", "2025-01-10", amount=1_200, currency="jpy", plan_interval="year"),
        subscription("s-orphan", "cus-unknown", "active", "2025-01-10"),
    ],
    "stripe.invoice": [
        {"id": "i-1", "customer": "cus-exact", "status": "open", "currency": "eur", "amount_due": 10_000, "amount_paid": 0, "created": epoch("2025-01-10"), "due_date": epoch("2025-01-20"), "updated": epoch("2025-01-10")},
        {"id": "i-1", "customer": "cus-exact", "status": "paid", "currency": "eur", "amount_due": 10_000, "amount_paid": 10_000, "created": epoch("2025-01-10"), "due_date": epoch("2025-01-20"), "paid_at": epoch("2025-01-25"), "updated": epoch("2025-01-25")},
        {"id": "i-loser-before", "customer": "cus-loser", "status": "open", "currency": "eur", "amount_due": 5_000, "created": epoch("2025-02-01"), "updated": epoch("2025-02-01")},
        {"id": "i-loser-after", "customer": "cus-loser", "status": "open", "currency": "eur", "amount_due": 5_000, "created": epoch("2025-04-01"), "updated": epoch("2025-04-01")},
    ],
    "product.workspace": [
        {"workspace_id": "w-exact", "name": "Exact", "company_domain": "domain.io", "stripe_customer_id": "cus-exact", "created_at": "2025-01-07", "updated_at": "2025-01-07"},
        {"workspace_id": "w-domain", "name": "Domain", "company_domain": "domain.io", "created_at": "2025-01-07", "updated_at": "2025-01-07"},
    ],
    "product.usage_daily": [usage("w-exact", "2025-01-08", 4), usage("w-exact", "2025-01-09", 5), usage("w-trial", "2025-01-09", 1)],
    "zendesk.organization": [
        {"id": "z-1", "name": "Exact", "external_id": "cus-exact", "domain_names": "other.com", "created_at": "2025-01-08", "updated_at": "2025-01-08"},
        {"id": "z-2", "name": "Domain", "domain_names": '["domain.io", "domain.com"]', "created_at": "2025-01-08", "updated_at": "2025-01-08"},
    ],
    "zendesk.user": [
        {"id": "u-1", "email": "ann@exact.com", "role": "end-user", "organization_id": "z-1", "created_at": "2025-01-09", "updated_at": "2025-01-09"},
        {"id": "u-us", "email": "agent@exact.com", "role": "agent", "created_at": "2025-01-09", "updated_at": "2025-01-09"},
    ],
    "zendesk.ticket": [
        {"id": "t-1", "requester_id": "u-1", "organization_id": "z-1", "subject": "Call +49 30 901820", "description": "My IBAN is DE89 3704 0044 0532 0130 00 since 2025-01-31", "status": "new", "priority": "Normal", "type": "question", "via_channel": "web", "created_at": "2025-02-01", "updated_at": "2025-02-01"},
        {"id": "t-1", "requester_id": "u-1", "organization_id": "z-1", "status": "solved", "priority": "urgent", "type": "question", "via_channel": "web", "created_at": "2025-02-01", "updated_at": "2025-02-03", "solved_at": "2025-02-03"},
    ],
    "zendesk.ticket_comment": [
        {"id": "tc-1", "ticket_id": "t-1", "author_id": "u-1", "body": "Or write to ann.lee@web.de.", "public": True, "created_at": "2025-02-01"},
        {"id": "tc-2", "ticket_id": "t-1", "author_id": "u-us", "public": True, "created_at": "2025-02-02"},
    ],
    "zendesk.satisfaction_rating": [
        {"id": "r-1", "ticket_id": "t-1", "requester_id": "u-1", "score": "good", "comment": "Order 123456789 has come", "created_at": "2025-02-04"},
    ],
}  # fmt: skip
