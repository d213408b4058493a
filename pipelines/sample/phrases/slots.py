"""What fills `{slots}` of templates: `<name>` → (English, German)."""

FEATURES = (
    ("the dashboard", "Dashboard"),
    ("report export", "Berichtsexport"),
    ("the mobile app", "App"),
    ("single sign-on", "Single Sign-on"),
    ("the calendar sync", "Kalender-Abgleich"),
    ("bulk import", "Massenimport"),
    ("notifications", "Benachrichtigungen"),
    ("the API", "API"),
    ("user roles", "Benutzerrollen"),
    ("search", "Suche"),
    ("the Slack integration", "Slack-Integration"),
    ("scheduled reports", "Berichtsversand"),
)
SLOTS = {
    "since": (
        ("since Tuesday", "since the last update", "since this morning", "for two weeks now", "after lunch today",
         "since we changed the plan", "since the invoice came", "most mornings", "every now and then",
         "since we moved to the new office", "ever since the webhook change", "again today"),
        ("seit Dienstag", "seit dem letzten Update", "seit heute früh", "seit zwei Wochen", "seit der Umstellung",
         "seit die Rechnung kam", "immer wieder", "schon wieder", "seit dem Tarifwechsel", "seit gestern"),
    ),
    "who": (
        ("my team", "our accountant", "two colleagues", "everyone in sales", "our admin", "the warehouse crew",
         "our new hire", "finance", "one of our partners", "the board", "our developers", "a customer of ours"),
        ("mein Team", "unsere Buchhaltung", "der Vertrieb", "unser Admin", "eine Kollegin", "die Geschäftsführung",
         "unser Lager", "die IT", "ein neuer Mitarbeiter", "das ganze Büro"),
    ),
    "tool": (
        ("Salesforce", "our ERP", "Slack", "Excel", "SAP", "HubSpot", "our own system", "Google Sheets", "Outlook",
         "the data warehouse"),
        ("SAP", "DATEV", "Excel", "Outlook", "unser ERP", "Salesforce", "Slack", "Teams", "unser CRM"),
    ),
    "thing": (
        ("the invoice list", "our report", "the customer list", "the order page", "the monthly export",
         "the login page",
         "the settings", "the contract overview", "the team calendar", "the price list", "the usage page"),
        ("die Rechnungsliste", "unser Bericht", "die Kundenliste", "die Auftragsseite", "der Monatsexport",
         "die Anmeldung", "die Vertragsübersicht", "der Teamkalender", "die Preisliste"),
    ),
    "where": (
        ("in Chrome", "on my phone", "in the Paris office", "on the tablet", "over VPN", "in Safari", "at home",
         "in the test account", "on every machine here"),
        ("im Firefox", "auf dem Handy", "im Büro", "über VPN", "am Tablet", "im Homeoffice", "auf allen Rechnern"),
    ),
    "count": (
        ("three", "12", "about forty", "more than a thousand", "two", "a handful of", "250", "several"),
        ("drei", "12", "rund vierzig", "über tausend", "zwei", "250", "mehrere"),
    ),
}  # fmt: skip
SLANG = (
    {"please": "pls", "Please": "Pls", "thanks": "thx", "Thanks": "Thx", " you ": " u ", " your ": " ur ",
     "because": "bc", "really": "rly", " are ": " r ", "do not": "dont", "does not": "doesnt", "cannot": "cant",
     "I am": "im", "is not": "isnt", "message": "msg", "account": "acct", "tomorrow": "tmrw", "as soon as": "asap"},
    {"bitte": "bidde", " nicht": " nich", " und ": " u. ", "vielleicht": "vllt", "eigentlich": "eig",
     "Danke": "Thx", "einen": "nen", " ist ": " is ", "Nachricht": "Msg", "wirklich": "echt", "irgendwie": "iwie",
     "haben wir": "hamwa", "ä": "ae", "ü": "ue"},
)  # fmt: skip
"""How people in a hurry write, by language."""
