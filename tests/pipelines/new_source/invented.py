"""Invented exports of systems that `assets/sources/` does not have, as their export buttons write them."""

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

Rows = Sequence[Mapping[str, object]]
START = datetime(2025, 1, 6, 9, 30)


def write(path: Path, rows: Rows, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def hours(number: int) -> datetime:
    return START + timedelta(hours=number)


def pipedrive(folder: Path) -> list[Path]:
    """Organizations, people and deals: a deal and a person name their organization."""
    organizations = [
        {
            "Organization - ID": number,
            "Organization - Name": f"Pipe {number} Ltd",
            "Organization - Owner": "Ann Lee",
            "Organization - Label": "Customer" if number % 2 else "",
            "Organization - Organization created": hours(number),
            "Organization - Update time": hours(3000 + number),
        }
        for number in range(1, 21)
    ]
    people = [
        {
            "Person - ID": number,
            "Person - Name": f"First{number} Last{number}",
            "Person - Organization": f"Pipe {number % 20 + 1} Ltd",
            "Person - Email - Work": f"p{number}@pipe{number % 20 + 1}.example",
            "Person - Email - Home": "",
            "Person - Phone - Work": f"+49 30 {1000 + number}",
            "Person - Person created": hours(2 * number),
            "Person - Update time": hours(3000 + number),
        }
        for number in range(1, 41)
    ]
    deals = []
    for number in range(1, 91):
        status = ("won", "lost", "open")[number % 3]
        created, closed = hours(30 * number), hours(30 * number + 200)
        deals.append(
            {
                "Deal - ID": number,
                "Deal - Title": f"Deal {number}",
                "Deal - Value": 1000.5 + 10 * number,
                "Deal - Currency": "EUR",
                "Deal - Weighted value": 7 * number,
                "Deal - Currency of Weighted value": "EUR",
                "Deal - Organization": f"Pipe {number % 20 + 1} Ltd",
                "Deal - Contact person": f"First{number % 40 + 1} Last{number % 40 + 1}",
                "Deal - Pipeline": "Sales",
                "Deal - Stage": ("Qualified", "Proposal")[number % 2],
                "Deal - Status": status,
                "Deal - Deal created": created,
                "Deal - Update time": closed if status != "open" else created,
                "Deal - Won time": closed if status == "won" else "",
                "Deal - Lost time": closed if status == "lost" else "",
                "Deal - Lost reason": "price" if status == "lost" else "",
                "Deal - Expected close date": (created + timedelta(days=40)).date(),
                "Deal - Owner": "Bo Kim",
            }
        )
    files = {"organizations-1": organizations, "people-1": people, "deals-1": deals}
    return [write(folder / "pipedrive" / f"{name}.csv", rows) for name, rows in files.items()]


def zoho(folder: Path) -> list[Path]:
    """Accounts, contacts, leads and deals: a stage says how a deal ended, and a deal has its account's name."""
    accounts = [
        {
            "Record Id": f"zcrm_{5000 + number}",
            "Account Name": f"Zone {number}",
            "Website": f"https://www.zone{number}.example/start",
            "Industry": "Energy",
            "Employees": 10 * number,
            "Billing Country": "DE",
            "Created Time": hours(number),
            "Modified Time": hours(3000 + number),
        }
        for number in range(1, 16)
    ]
    contacts = [
        {
            "Record Id": f"zcrm_{7000 + number}",
            "First Name": f"A{number}",
            "Last Name": f"B{number}",
            "Account Name": f"Zone {number % 15 + 1}",
            "Email": f"a{number}@zone{number % 15 + 1}.example",
            "Title": "CEO",
            "Created Time": hours(number),
            "Modified Time": hours(3000 + number),
        }
        for number in range(1, 31)
    ]
    leads = [
        {
            "Record Id": f"zcrm_{9000 + number}",
            "Last Name": f"M{number}",
            "Company": f"Lead co {number}",
            "Email": f"m{number}@leadco{number}.example",
            "Lead Status": ("Contacted", "Junk Lead", "Pre-Qualified")[number % 3],
            "Lead Source": "Web",
            "Is Converted": "true" if number % 4 == 0 else "false",
            "Converted Date": hours(24 * number).date() if number % 4 == 0 else "",
            "Created Time": hours(number),
            "Modified Time": hours(3000 + number),
        }
        for number in range(1, 41)
    ]
    stages = ("Closed Won", "Closed Lost", "Closed-Lost to Competition", "Qualification", "Negotiation/Review")
    deals = [
        {
            "Record Id": f"zcrm_{8000 + number}",
            "Deal Name": f"Zone deal {number}",
            "Account Name": f"Zone {number % 15 + 1}",
            "Amount": 500 + number,
            "Stage": stages[number % 5],
            "Closing Date": hours(40 * number + 480).date(),
            "Type": "New Business",
            "Created Time": hours(40 * number),
            "Modified Time": hours(40 * number + 500),
        }
        for number in range(1, 61)
    ]
    files = {"Accounts": accounts, "Contacts": contacts, "Deals": deals, "Leads": leads}
    return [write(folder / "zoho" / f"{name}_2026_01_05.csv", rows) for name, rows in files.items()]


def billing(folder: Path) -> list[Path]:
    """Customers, subscriptions, invoices and tickets of one system, with words of its own for how they stand."""
    customers = [
        {
            "customers.id": f"cb_{number}",
            "customers.company": f"Bill {number}",
            "customers.email": f"c{number}@bill{number}.example",
            "customers.created_at": hours(number),
            "customers.updated_at": hours(3000 + number),
        }
        for number in range(1, 13)
    ]
    subscriptions = [
        {
            "subscriptions.id": f"sub_{number}",
            "customers.id": f"cb_{number % 12 + 1}",
            "subscriptions.plan_amount": 1200 if number % 2 else 50,
            "subscriptions.billing_period_unit": "Yearly" if number % 2 else "Monthly",
            "subscriptions.currency_code": "EUR",
            "subscriptions.status": ("Active", "Cancelled", "Non Renewing", "In Trial")[number % 4],
            "subscriptions.started_at": hours(24 * number),
            "subscriptions.cancelled_at": hours(24 * number + 900) if number % 4 == 1 else "",
            "subscriptions.created_at": hours(24 * number),
            "subscriptions.updated_at": hours(24 * number + 900),
        }
        for number in range(1, 25)
    ]
    invoices = [
        {
            "Invoice Number": f"I-{number}",
            "Customer Id": f"cb_{number % 12 + 1}",
            "Status": ("Paid", "Payment Due", "Not Paid")[number % 3],
            "Amount": 100 + number,
            "Currency": "EUR",
            "Invoice Date": hours(24 * number).date(),
            "Paid On": hours(24 * number + 50).date() if number % 3 == 0 else "",
            "Updated At": hours(24 * number + 60),
        }
        for number in range(1, 31)
    ]
    tickets = [
        {
            "Ticket ID": number,
            "Subject": f"help {number}",
            "Status": ("Open", "Resolved", "Waiting on Customer")[number % 3],
            "Customer ID": f"cb_{number % 12 + 1}",
            "Created time": hours(9 * number),
            "Resolved time": hours(9 * number + 20) if number % 3 == 1 else "",
            "Last update time": hours(9 * number + 30),
        }
        for number in range(1, 31)
    ]
    files = {"Customers": customers, "Subscriptions": subscriptions, "Invoices": invoices, "Tickets": tickets}
    return [write(folder / "paycircle" / f"{name}.csv", rows) for name, rows in files.items()]


def plain_crm(folder: Path) -> list[Path]:
    """Deals that say yes or no to won and closed; leads and contacts with the same numbers and no time of their own."""
    deals = [
        {
            "ID": number,
            "Title": f"Offer {number}",
            "Company": f"Plain {number % 6}",
            "Value": 10 * number,
            "Won": "Yes" if number % 3 == 0 else "No",
            "Closed": "No" if number % 3 == 1 else "Yes",
            "Won at": hours(30 * number + 100) if number % 3 == 0 else "",
            "Created": hours(30 * number),
        }
        for number in range(1, 31)
    ]
    people = [
        {"ID": number, "First name": f"P{number}", "Last name": "Q", "Email": f"p{number}@plain{number}.example"}
        for number in range(1, 7)
    ]
    leads = [{**row, "Email": f"l{row['ID']}@other{row['ID']}.example", "Status": "New"} for row in people]
    usage = [
        {
            "Company ID": f"Plain {number % 6}",
            "Date": hours(24 * number).date(),
            "Logins": number,
            "Actions": 2 * number,
        }
        for number in range(1, 31)
    ]
    files = {"deals": deals, "contacts": people, "leads": leads, "usage_daily": usage}
    return [write(folder / "plaincrm" / f"{name}.csv", rows) for name, rows in files.items()]


def german(folder: Path) -> list[Path]:
    """Companies and deals of a German CRM: umlauts in Windows' encoding, semicolons, decimal commas, days first."""

    def day(moment: datetime) -> str:
        return f"{moment:%d.%m.%Y}"

    companies = [
        {
            "Firmen-Nr.": f"F{number:03}",
            "Firmenname": f"Müller {number} KG",
            "Branche": "Handel",
            "Straße": "Weg 1",
            "Ort": "Köln",
            "Mitarbeiter": 5 * number,
            "Angelegt am": day(hours(24 * number)),
        }
        for number in range(1, 11)
    ]
    deals = [
        {
            "Nr.": 1000 + number,
            "Bezeichnung": f"Projekt {number}",
            "Firma": f"Müller {number % 10 + 1} KG",
            "Auftragswert (€)": f"{number}.234,50",
            "Phase": ("Erstgespräch", "Gewonnen", "Verloren")[number % 3],
            "Voraussichtlicher Abschluss": day(hours(24 * number + 900)),
            "Erstellt am": f"{day(hours(24 * number))} 08:15",
            "Zuletzt geändert am": f"{day(hours(24 * number + 900))} 10:00",
        }
        for number in range(1, 31)
    ]
    files = {"Firmen": companies, "Verkaufschancen": deals}
    return [write(folder / "kundenpilot" / f"{name}.csv", rows, ";", "cp1252") for name, rows in files.items()]
