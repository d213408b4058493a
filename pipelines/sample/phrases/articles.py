"""What our articles say, by tag."""

TAGS = (
    "reporting", "integrations", "security", "onboarding", "pricing", "api", "mobile", "automation", "analytics",
    "compliance", "migration", "collaboration",
)  # fmt: skip
SENTENCES = {
    "reporting": (
        "A report that nobody opens is a report too many.", "Schedule the monthly export on the first working day.",
        "Choose three figures and put them at the top of the page.",
        "Charts beat tables when the board is in a hurry.",
        "Share the dashboard with finance before the month ends.", "Group the numbers by team, then by customer.",
        "Totals should say what they count.",
    ),
    "integrations": (
        "Connect the CRM first, everything else follows.", "The connector maps fields by their names.",
        "Webhooks tell other systems within seconds.", "Sync both ways only if you know who wins.",
        "Most teams link three tools: mail, calendar and CRM.",
        "Check the rights of the technical user once a quarter.",
        "A broken connection should send an alert, not a surprise.",
    ),
    "security": (
        "Single sign-on closes the most common door.", "Give every role the least rights that it needs.",
        "Two factors are better than a long password.", "Keep the audit log for at least a year.",
        "An API token belongs in a vault, not in a spreadsheet.", "Encrypt the export before you send it.",
        "People who leave should lose their access on the same day.",
    ),
    "onboarding": (
        "The first week decides whether a team stays.", "Invite five people, not fifty.",
        "A checklist of ten steps is enough for new users.", "Start with one workspace and the sample data.",
        "Record a short tour instead of writing a manual.", "Ask every new colleague what was unclear.",
        "Champions in each team answer most questions.",
    ),
    "pricing": (
        "A plan per seat is easy to explain and hard to love.", "Compare what you pay with what you use.",
        "Yearly contracts save two months.", "Discounts train customers to wait.",
        "Look at the invoice line by line once a year.", "The smallest plan is enough for most teams of five.",
        "Costs grow with seats, value grows with use.",
    ),
    "api": (
        "The endpoint answers with a page of a hundred records.", "Retry with a pause that doubles.",
        "A token is valid for ninety days.", "Filter on the server, not in your script.",
        "Version two of the interface keeps all fields of version one.", "Every call costs against the rate limit.",
        "Webhooks save you from polling.",
    ),
    "mobile": (
        "The app works without a network and syncs later.", "Push messages should be rare.",
        "Sales people live on their phones.", "Scan the receipt with the camera.",
        "Small screens want one button.", "Turn on offline mode before the flight.",
        "Tablets in the warehouse see a simpler page.",
    ),
    "automation": (
        "Rules run when a record changes.", "Let the machine send the reminder.",
        "Start with one trigger and one action.", "What happens every Monday should happen by itself.",
        "A workflow without an owner is a risk.", "Test rules in a sandbox first.",
        "Approvals can be skipped below a limit.",
    ),
    "analytics": (
        "Cohorts show what averages hide.", "Measure use before you measure opinion.",
        "A funnel tells where people give up.", "Churn shows weeks before the contract ends.",
        "Compare with the same month of last year.", "Correlation is a hint, not a proof.",
        "Segment customers by what they do, not by what they say.",
    ),
    "compliance": (
        "The regulator asks for proof, not for promises.", "Keep personal data no longer than you need it.",
        "A processor contract is due before the first record.", "Auditors like exports with a date.",
        "Deletion requests have thirty days.", "Write down who may see which report.",
        "Certificates expire, put them in the calendar.",
    ),
    "migration": (
        "Clean the old data before you move it.", "Run both systems for one month.",
        "Import in small batches and count the rows.", "Map every field, even the ugly ones.",
        "Freeze changes on the evening of the switch.", "Keep the old export in a safe place.",
        "The hardest part of a move are the habits.",
    ),
    "collaboration": (
        "Comments belong beside the number that they are about.", "Share a link, not a file.",
        "One owner, many readers.", "Mention a colleague and the task is theirs.",
        "Teams that review together decide faster.", "Meetings get shorter when the page is open.",
        "A shared inbox needs a rota.",
    ),
}  # fmt: skip
COMMON = (
    "This article explains it step by step.", "Many teams start with {tag} and stop half-way.",
    "First open the settings and choose what you need.", "We measured the effect with twenty customers.",
    "Good habits save time and avoid mistakes.", "If you use {other} too, read the second part.",
    "The new release makes this easier.", "Ask our support team when something is unclear.",
    "Administrators can restrict access by role.", "In short: begin small, measure, then widen.",
    "It took us a year to learn this.", "Your mileage may vary.", "A customer told us the story last week.",
    "None of this is rocket science.", "The rest is practice.", "We will come back to this in spring.",
    "Start on a quiet day.", "Write down what you expect before you look.",
    "Export, invoice, report: the order matters.",
    "Our own team made the same mistake.", "There is a template for it in the app.",
    "Do it once, then do it every month.",
    "Some of it depends on your plan.", "Think of who reads it.", "Numbers are for decisions.",
)  # fmt: skip
TITLES = (
    "How to get more out of {tag}", "{tag}: what is new", "A short guide to {tag}", "Why {tag} matters",
    "How a customer of ours uses {tag}", "Five mistakes with {tag}", "{tag} for beginners",
    "{tag} and {other}, together",
)  # fmt: skip
OTHER_TITLES = (
    "What we learnt this quarter", "Five things that we would do again", "A day with a customer",
    "Notes from the road",
    "What is new in spring", "Small changes, big effect", "Answers to your questions", "Behind the scenes",
    "The month in short", "Before you start",
)  # fmt: skip
"""Of any tag."""
