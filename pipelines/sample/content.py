"""Names and texts: people, companies, tickets, posts, reviews and articles, from templates."""

import numpy as np
import polars as pl

from pipelines.sample.draws import Draws
from pipelines.sample.frames import pick

SYLLABLES = [
    "ba",
    "be",
    "bo",
    "ca",
    "co",
    "da",
    "de",
    "do",
    "fa",
    "fe",
    "fi",
    "ga",
    "go",
    "ha",
    "he",
    "jo",
    "ka",
    "ke",
    "ko",
    "la",
    "le",
    "li",
    "lo",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "no",
    "pa",
    "pe",
    "ra",
    "ri",
    "ro",
    "sa",
    "so",
    "ta",
    "ti",
    "vo",
]
WORDS = [
    "Systems",
    "Labs",
    "Foods",
    "Logistics",
    "Media",
    "Partners",
    "Health",
    "Capital",
    "Energy",
    "Motors",
    "Software",
    "Textiles",
    "Robotics",
    "Studios",
    "Retail",
    "Trading",
    "Networks",
    "Pharma",
    "Chemicals",
    "Aviation",
    "Insurance",
    "Packaging",
    "Analytics",
    "Education",
]
NAME_SPACE = len(SYLLABLES) ** 4 * len(WORDS)
INDUSTRIES = (
    "Software",
    "Manufacturing",
    "Retail",
    "Healthcare",
    "Financial Services",
    "Education",
    "Logistics",
    "Media",
)
COUNTRIES = ("United States", "United Kingdom", "Germany", "France", "Netherlands", "Australia", "Canada")
COUNTRY_CODES = ("US", "GB", "DE", "FR", "NL", "AU", "CA")
COUNTRY_WEIGHTS = (0.45, 0.14, 0.15, 0.1, 0.06, 0.05, 0.05)
CURRENCIES = ("usd", "gbp", "eur", "eur", "eur", "usd", "usd")
DOMAIN_ENDINGS = ("com", "co.uk", "de", "fr", "nl", "com.au", "ca")
DIAL_CODES = ("+1", "+44", "+49", "+33", "+31", "+61", "+1")
CITIES = (
    ("New York", "Chicago", "Austin", "Denver", "Seattle", "Boston"),
    ("London", "Manchester", "Leeds", "Bristol", "Glasgow", "Cardiff"),
    ("Berlin", "Hamburg", "München", "Köln", "Leipzig", "Stuttgart"),
    ("Paris", "Lyon", "Lille", "Nantes", "Toulouse", "Bordeaux"),
    ("Amsterdam", "Rotterdam", "Utrecht", "Eindhoven", "Groningen", "Delft"),
    ("Sydney", "Melbourne", "Brisbane", "Perth", "Adelaide", "Hobart"),
    ("Toronto", "Montréal", "Vancouver", "Calgary", "Ottawa", "Halifax"),
)
FIRST_NAMES = [
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Elena",
    "Frank",
    "Grace",
    "Hugo",
    "Ines",
    "Jack",
    "Karin",
    "Liam",
    "Maria",
    "Noah",
    "Olga",
    "Paul",
    "Quinn",
    "Rosa",
    "Simon",
    "Tara",
    "Umar",
    "Vera",
    "Walter",
    "Xenia",
    "Yusuf",
    "Zoe",
    "Aisha",
    "Bruno",
    "Chloe",
    "Diego",
    "Emma",
    "Felix",
    "Gina",
    "Henry",
    "Isla",
    "Jonas",
    "Kate",
    "Leo",
    "Mia",
    "Nils",
    "Oscar",
    "Priya",
    "Ravi",
    "Sofia",
    "Tom",
    "Ursula",
    "Victor",
    "Wendy",
    "Yara",
    "Zack",
]
LAST_NAMES = [
    "Adams",
    "Baker",
    "Carter",
    "Dupont",
    "Evans",
    "Fischer",
    "Garcia",
    "Hoffmann",
    "Ivanov",
    "Jansen",
    "Kumar",
    "Lopez",
    "Meyer",
    "Nguyen",
    "Olsen",
    "Patel",
    "Quist",
    "Rossi",
    "Schmidt",
    "Taylor",
    "Ueda",
    "Visser",
    "Weber",
    "Xu",
    "Young",
    "Zhang",
    "Albert",
    "Brown",
    "Clark",
    "Davies",
    "Edwards",
    "Foster",
    "Green",
    "Hughes",
    "Iqbal",
    "Jones",
    "Keller",
    "Lambert",
    "Moore",
    "Novak",
    "Owens",
    "Perez",
    "Ramos",
    "Silva",
    "Turner",
    "Vogel",
    "Wagner",
    "Wilson",
    "Wright",
    "Moreau",
]
TITLES = (
    "CEO",
    "CTO",
    "VP Operations",
    "Head of IT",
    "Director of Finance",
    "IT Manager",
    "Operations Manager",
    "Marketing Manager",
    "Analyst",
    "Developer",
    "Consultant",
    "Student",
)
TITLE_WEIGHTS = (0.05, 0.06, 0.07, 0.1, 0.08, 0.14, 0.14, 0.1, 0.1, 0.08, 0.05, 0.03)
TITLE_EFFECTS = np.array([0.5, 0.5, 0.6, 0.5, 0.4, 0.25, 0.2, -0.1, -0.4, -0.3, -0.7, -1.4])
FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "gmx.de")
FEATURES = (
    "the dashboard",
    "report export",
    "the mobile app",
    "single sign-on",
    "the calendar sync",
    "bulk import",
    "notifications",
    "the API",
    "user roles",
    "search",
    "the Slack integration",
    "scheduled reports",
)
OUR_BRAND, COMPETITOR = "Tidewise", "Harborly"
CAUSES = ("price", "outage", "support", "missing_feature", "usability", "bug")
"""What an unhappy post complains of."""
CAUSE_WEIGHTS = (0.2, 0.17, 0.2, 0.13, 0.14, 0.16)

TOPICS = ("bug", "how_to", "billing", "performance", "integration", "feature_request", "cancellation")
TICKET_TYPES = ("problem", "question", "question", "incident", "problem", "task", "question")
TICKET_SUBJECTS = (
    (
        "{feature} does not work",
        "Error in {feature}",
        "{feature} shows wrong numbers",
        "Broken since the update: {feature}",
    ),
    (
        "How do I use {feature}?",
        "Question about {feature}",
        "Where can I find {feature}?",
        "Help with setting up {feature}",
    ),
    ("Invoice question", "Charged twice this month", "Change of billing address", "Please send a corrected invoice"),
    ("{feature} is very slow", "Time-outs in {feature}", "Everything hangs this morning", "Slow loading of {feature}"),
    ("Connecting our CRM", "{feature} and our own system", "Webhook does not arrive", "Sync stopped working"),
    (
        "Idea: more options for {feature}",
        "Could you add filters to {feature}?",
        "Request for {feature}",
        "Wish: dark mode in {feature}",
    ),
    ("How do we cancel?", "Export all our data", "Thinking about leaving", "End of our contract"),
)
TICKET_PROBLEMS = (
    (
        "when I open {feature} I get an error and have to start again",
        "{feature} throws error 500 since Tuesday",
        "the totals in {feature} do not match what we entered",
        "{feature} loses our settings after every login",
    ),
    (
        "I cannot find out how to set up {feature} for a new colleague",
        "is there a guide for {feature}",
        "what is the best way to share {feature} with another team",
        "how can I change the defaults in {feature}",
    ),
    (
        "our last invoice shows more seats than we have",
        "the payment was taken twice from our card",
        "our accounting needs the invoice with another address",
        "we were told another price than the one we pay",
    ),
    (
        "{feature} takes more than a minute to load",
        "since this morning {feature} runs into time-outs",
        "with more than a thousand rows {feature} becomes unusable",
        "all pages hang for several seconds",
    ),
    (
        "the connection with our CRM stopped after we changed a password",
        "webhooks for {feature} arrive hours late",
        "the API returns 401 although the token is new",
        "fields from {feature} are not synced any more",
    ),
    (
        "it would help us a lot to filter {feature} by team",
        "we would love to have templates in {feature}",
        "please consider an export to spreadsheets for {feature}",
        "could {feature} be translated into our language",
    ),
    (
        "we want to know how to cancel our subscription",
        "we need all our data out of {feature} before the end of the month",
        "we are comparing you with another vendor and {feature} is the reason",
        "management wants to end the contract",
    ),
)
OPENINGS = {
    "negative": (
        "This is really frustrating.",
        "We are disappointed again.",
        "This is the third time we write.",
        "Unacceptable for a paid product.",
        "My team has lost a whole day.",
    ),
    "neutral": ("Hello,", "Hi support team,", "Good morning,", "Dear all,", "Quick one:"),
    "positive": (
        "Thanks for the great product!",
        "We really like working with it.",
        "Hi, you have helped us so well before.",
        "Love the new release.",
        "Hello, great support as always.",
    ),
}
CLOSINGS = {
    "negative": (
        "Fix this now or we have to look elsewhere.",
        "I expect an answer today.",
        "We are losing patience.",
        "Please escalate this.",
    ),
    "neutral": ("Please let me know.", "Thanks in advance.", "Best regards", "Can you have a look?"),
    "positive": ("No hurry, thank you!", "Thanks a lot, keep it up!", "Have a nice day!", "Many thanks for your help."),
}
AGENT_REPLIES = (
    "Thanks for your message. We are looking into {feature} and come back to you shortly.",
    "I could reproduce what you describe in {feature}. Our engineers are on it.",
    "Please try to sign out and in again, then open {feature}. Does it work now?",
    "You find this under Settings, then {feature}. I attach a guide.",
    "I have corrected this on our side. Please tell me if anything is missing.",
)
CUSTOMER_REPLIES = {
    "negative": (
        "Still not working. How long will this take?",
        "That did not help at all.",
        "We already tried that, twice.",
        "Honestly, this is getting ridiculous.",
    ),
    "neutral": (
        "Thanks, I will try that.",
        "Okay, where exactly?",
        "I have attached a screenshot.",
        "Any news on this?",
    ),
    "positive": (
        "Perfect, that works now. Thank you!",
        "Great, solved. You are the best.",
        "Wonderful, quick as always!",
        "That did it, thanks so much.",
    ),
}
RATING_COMMENTS = {
    "bad": ("Took far too long.", "The problem is still there.", "Nobody read what I wrote.", "Poor answer."),
    "good": ("Fast and friendly.", "Solved at once.", "Very helpful agent.", "Great support."),
}
POSTS = {
    "negative": (
        "{brand} is down again, second time this month. {feature} unusable.",
        "Really disappointed by {brand}: prices go up and {feature} still fails.",
        "Anyone else fighting with {feature} in {brand}? Support just does not answer.",
        "We are leaving {brand}. {feature} cost us days.",
        "Oh great, another {brand} update that breaks {feature}. Just what I needed.",
    ),
    "neutral": (
        "Does {brand} support {feature}? Asking for our team.",
        "{brand} announced changes to {feature} today.",
        "Comparing {brand} with others for {feature}, any experience?",
        "Webinar about {feature} by {brand} next week.",
    ),
    "positive": (
        "Love how {brand} handles {feature}. Saved us hours this week!",
        "{brand} support solved our issue with {feature} in ten minutes. Impressed.",
        "The new {feature} in {brand} is not bad at all, we use it every day.",
        "Moved our whole team to {brand} and {feature} just works.",
    ),
}
REVIEW_TITLES = {
    "negative": ("Not worth the money", "Many bugs", "Slow support", "We switched"),
    "neutral": ("Solid, with gaps", "Does the job", "Okay for small teams"),
    "positive": ("Great tool", "Our team loves it", "Saves time every day", "Excellent support"),
}
ARTICLE_CATEGORIES = ("Product", "Guides", "Engineering", "Customers", "Company")
ARTICLE_TAGS = ("reporting", "integrations", "security", "onboarding", "pricing", "api", "mobile", "automation")
ARTICLE_TITLES = (
    "How to get more out of {tag}",
    "{tag}: what is new",
    "A short guide to {tag}",
    "Why {tag} matters",
    "How a customer of ours uses {tag}",
)
ARTICLE_SENTENCES = (
    "This article explains {tag} step by step.",
    "Many teams start with {tag} and stop half-way.",
    "First open the settings and choose what you need.",
    "We measured the effect with twenty customers.",
    "Good {tag} saves time and avoids mistakes.",
    "If you use {other} too, read the second part.",
    "The new release makes {tag} easier.",
    "Ask our support team when something is unclear.",
    "Administrators can restrict {tag} by role.",
    "In short: begin small, measure, then widen.",
)
SENTIMENTS = ("negative", "neutral", "positive")


def fill(texts: pl.Series, **words: pl.Series | str) -> pl.Series:
    """Replace `{name}` in each text by that word of the same row."""
    frame = pl.DataFrame({"text": texts})
    for name, values in words.items():
        word = pl.lit(values) if isinstance(values, str) else pl.lit(pl.Series(values))
        frame = frame.with_columns(pl.col("text").str.replace_all(f"{{{name}}}", word, literal=True))
    return frame["text"]


def by_class(options: dict | tuple, classes: np.ndarray, draws: Draws, stream: str, *keys: np.ndarray) -> pl.Series:
    """A text for each row, drawn from the options of the row's class (a number)."""
    lists = list(options.values()) if isinstance(options, dict) else list(options)
    starts = np.cumsum([0, *map(len, lists)])
    sizes = np.array([len(texts) for texts in lists])
    position = starts[classes] + draws.integer(stream, sizes[classes], *keys)
    return pick([text for texts in lists for text in texts], position)


def sentiment_of(mood: np.ndarray) -> np.ndarray:
    """0 negative, 1 neutral, 2 positive, for a mood around 0."""
    return 1 + (mood > 0.6).astype(np.int64) - (mood < -0.6).astype(np.int64)


def company_names(number: np.ndarray) -> tuple[pl.Series, pl.Series]:
    """A name and the first part of a domain for each company number; different for all numbers below 61 million."""
    code = (number.astype(np.int64) * 28_629_151 + 7_919) % NAME_SPACE
    code, word = np.divmod(code, len(WORDS))
    stem = pl.Series([""]).gather(pl.Series(np.zeros(len(number), dtype=np.int64)))
    for _ in range(4):
        code, syllable = np.divmod(code, len(SYLLABLES))
        stem = stem + pick(SYLLABLES, syllable)
    words = pick(WORDS, word)
    capital = stem.str.slice(0, 1).str.to_uppercase() + stem.str.slice(1)
    return capital + " " + words, stem + "-" + words.str.to_lowercase()
