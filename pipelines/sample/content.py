"""Names: of people, companies, places and brands."""

import numpy as np
import polars as pl

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
OUR_BRAND = "Tidewise"
COMPETITORS = ("Harborly", "Northdock", "Quaymetrics")
COMPETITOR_WEIGHTS = (0.5, 0.3, 0.2)


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
