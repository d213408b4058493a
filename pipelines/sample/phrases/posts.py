"""What people say in public of us and of competitors, by mood and by what they complain of."""

CAUSES = ("price", "outage", "support", "missing_feature", "usability", "bug")
"""What an unhappy post complains of."""
COMPLAINTS = {
    "en": {
        "price": (
            "{brand} puts prices up again and {feature} is still the same.",
            "Paying this much for {brand}? Our renewal quote is a joke.",
            "{brand} wants extra money for {feature} now. Nope.",
            "Looked at the {brand} invoice today. We pay more than for our office coffee, and that is a lot.",
            "Another year, another price hike at {brand}.",
            "{brand}: twenty percent more, nothing new. Great value, right?",
            "Is {brand} really worth the money? For us not any more.",
            "Love how {brand} calls a price rise an 'update to your plan'.",
            "The per-seat cost of {brand} kills us.",
            "Nice product, shame about the bill. Leaving {brand}.",
            "Support for {feature} costs extra at {brand}. Seriously.",
        ),
        "outage": (
            "{brand} is down again, second time this month.",
            "Anyone else locked out of {brand}? {feature} gone since nine.",
            "Status page of {brand} all green while nothing loads. Brilliant.",
            "Half a day without {brand}. The team plays cards.",
            "{brand} has been unreachable {since}.",
            "Another Monday, another {brand} outage.",
            "Time-outs everywhere in {brand}, is it just us?",
            "{brand} down during our launch. Perfect timing, thank you.",
            "We pay for 99.9 and {brand} gives us a coin flip.",
            "{feature} in {brand} offline again, support says 'soon'.",
        ),
        "support": (
            "Five days and no answer from {brand} support.",
            "{brand} support just sends links to the help page.",
            "Third ticket at {brand}, third 'we are looking into it'.",
            "Does anybody work in support at {brand}?",
            "{brand} closed my ticket about {feature} unsolved. Thanks a bunch.",
            "Shout-out to {brand} support for the fastest copy-paste in town.",
            "Called {brand}: forty minutes of music, then cut off.",
            "Asked {brand} about the invoice, got an answer about {feature}.",
            "Chat bot instead of people at {brand}. No, it did not help.",
            "When {feature} breaks, {brand} goes silent.",
        ),
        "missing_feature": (
            "Still no dark mode in {brand}, in this day and age.",
            "How can {brand} not have a proper export?",
            "We asked {brand} for filters in {feature} two years ago. Still waiting.",
            "{brand} without an integration for {tool} is useless to us.",
            "Everyone has templates, except {brand}.",
            "Wanted to group users in {brand}. You cannot. Okay then.",
            "{brand} removed {feature} from our plan and calls it simpler.",
            "Would be great if {brand} could do the one thing we bought it for.",
            "No offline mode in {brand}, so no use for us on the road.",
            "The roadmap of {brand}: everything but what customers ask for.",
        ),
        "usability": (
            "Twelve clicks to find {feature} in {brand}. Who designs this?",
            "The new look of {brand} is pretty and I cannot find anything.",
            "{brand} needs a manual for the manual.",
            "Training {who} on {brand} took a week. A week.",
            "Whoever moved {feature} in {brand}, why?",
            "{brand} is so intuitive that we hired a consultant.",
            "I open {brand}, I get lost, I close {brand}.",
            "Menus in menus in menus, welcome to {brand}.",
            "{feature} in {brand}: powerful, if you ever get it set up.",
            "My team still uses Excel because {brand} is too complicated.",
        ),
        "bug": (
            "Oh great, another {brand} update that breaks {feature}. Just what I needed.",
            "{feature} in {brand} shows wrong numbers {since}.",
            "{brand} ate our data. All of {thing}.",
            "Every release of {brand} fixes one thing and breaks two.",
            "{brand} sends each mail twice. Customers love it.",
            "Error 500 in {brand}, my old friend.",
            "{feature} still fails in {brand}, cost us days.",
            "The {brand} app crashes when I look at it.",
            "Nothing like a {brand} sync that duplicates everything to start the week!",
            "Saved three times, lost three times. Thanks {brand}.",
        ),
    },
    "de": {
        "price": (
            "{brand} wird schon wieder teurer, und {feature} bleibt wie es war.",
            "Die neue Rechnung von {brand} ist ein Witz.",
            "{brand} will jetzt extra Geld für {feature}. Nein danke.",
            "Zwanzig Prozent mehr bei {brand}, für nichts. Toll.",
        ),
        "outage": (
            "{brand} ist schon wieder nicht erreichbar.",
            "Seit heute früh geht bei {brand} nichts mehr.",
            "Statusseite von {brand}: alles grün. Hier: alles tot.",
            "Montag, {brand} ausgefallen, läuft bei uns.",
        ),
        "support": (
            "Seit fünf Tagen keine Antwort vom Support von {brand}.",
            "{brand} schickt nur Textbausteine.",
            "Ticket zu {feature} bei {brand} ungelöst geschlossen. Danke auch.",
            "Vierzig Minuten Warteschleife bei {brand}.",
        ),
        "missing_feature": (
            "{brand} hat immer noch keinen vernünftigen Export.",
            "Ohne Anbindung an {tool} ist {brand} für uns nutzlos.",
            "Auf Vorlagen in {brand} warten wir seit zwei Jahren.",
        ),
        "usability": (
            "Zwölf Klicks bis {feature} in {brand}. Wer denkt sich das aus?",
            "{brand} ist so intuitiv, dass wir einen Berater brauchen.",
            "Die neue Oberfläche von {brand}: hübsch, aber ich finde nichts.",
        ),
        "bug": (
            "Super, das nächste Update von {brand} macht {feature} kaputt.",
            "{feature} in {brand} zeigt falsche Zahlen.",
            "{brand} verschickt jede Mail doppelt. Die Kunden freuen sich.",
            "Dreimal gespeichert, dreimal weg. Danke {brand}.",
        ),
    },
}
PRAISE = {
    "en": (
        "Love how {brand} handles {feature}. Saved us hours this week!",
        "{brand} support solved our issue with {feature} in ten minutes. Impressed.",
        "The new {feature} in {brand} is not bad at all, we use it every day.",
        "Moved our whole team to {brand} and {feature} just works.",
        "Never had an outage with {brand} in two years. Just saying.",
        "Say what you want about the price, {brand} is worth it.",
        "{brand} fixed the bug I reported within a day. Respect.",
        "Finally a tool that {who} understands without training: {brand}.",
        "{brand} update is out and {feature} got so much better.",
        "Our invoices used to take a day, with {brand} an hour.",
        "Cannot complain about {brand}, really.",
        "Was sceptical about {brand}. I was wrong, {feature} is great.",
        "The {brand} API is a joy to work with.",
        "Shout-out to the {brand} support team, you made my day.",
        "Export from {brand} to {tool} in two clicks, no problem at all.",
        "{brand} went down for a minute and told us before we noticed. That is how you do it.",
        "Switched to {brand}, half the cost and no more crashes.",
        "Small thing, big smile: {feature} in {brand} remembers my filters.",
    ),
    "de": (
        "{brand} hat uns mit {feature} diese Woche Stunden gespart!",
        "Der Support von {brand} ist wirklich schnell.",
        "Seit wir {brand} nutzen, kein Ärger mehr mit Rechnungen.",
        "{feature} in {brand} ist gar nicht schlecht, im Gegenteil.",
        "Das Update von {brand} gefällt uns richtig gut.",
        "Kann mich über {brand} nicht beschweren.",
        "Fehler gemeldet, am nächsten Tag behoben. Respekt, {brand}.",
    ),
}
REPORTS = {
    "en": (
        "Does {brand} support {feature}? Asking for our team.",
        "{brand} announced changes to {feature} today.",
        "Comparing {brand} with others for {feature}, any experience?",
        "Webinar about {feature} by {brand} next week.",
        "What does {brand} cost for {count} seats?",
        "We will test {brand} next month, tips welcome.",
        "{brand} update is out, now with {feature}.",
        "How do you connect {brand} with {tool}?",
        "Maintenance at {brand} on Sunday, {feature} will be offline for an hour.",
        "Looking for someone who knows {brand} and {tool}.",
        "{brand} changes its price list in spring.",
        "Is there a way to export {thing} from {brand}?",
        "{brand} or something else for a team of {count}?",
        "New blog post of {brand} on {feature}.",
        "Migrating from {brand} this weekend, wish us luck.",
        "Support hours of {brand} are nine to five, as I learnt.",
        "Anyone at the {brand} meetup tonight?",
        "Reading the {brand} release notes. Long list of bug fixes.",
        "{who} asked me about {brand}, so I am having a look.",
    ),
    "de": (
        "Kann {brand} eigentlich {feature}?",
        "{brand} hat heute Änderungen an {feature} angekündigt.",
        "Wir vergleichen gerade {brand} mit anderen. Erfahrungen?",
        "Was kostet {brand} für {count} Nutzer?",
        "Webinar von {brand} zu {feature} nächste Woche.",
        "Wie verbindet ihr {brand} mit {tool}?",
        "Wartung bei {brand} am Sonntag.",
        "Wir testen nächsten Monat {brand}.",
    ),
}
AMBIGUOUS = {
    "en": (
        "So, {brand} and {feature}. What a day.",
        "{brand} again. You know what I mean.",
        "Two hours with {brand} today.",
        "That moment when {brand} finishes the export.",
        "First week with {brand} done. Wow.",
        "I have thoughts about {feature} in {brand}.",
        "{brand} support called me back today.",
        "{feature} in {brand}, never change.",
        "Well well well, {brand}.",
        "Interesting choice, {brand}. Interesting.",
        "New invoice from {brand}, new me.",
        "Got the {brand} update. Speechless.",
    ),
    "de": (
        "Tja, {brand} und {feature}. Was für ein Tag.",
        "Wieder {brand}. Ihr wisst schon.",
        "Zwei Stunden mit {brand} heute.",
        "Das Update von {brand} ist da. Sprachlos.",
    ),
}
"""Of any mood: only who wrote it knows."""
OPENERS = {
    "en": (
        ("Ugh.", "Sigh.", "Great.", "Not again.", "Fun fact:", "Honestly,", "Thanks for nothing.", "Wow."),
        ("Hm.", "So,", "FYI:", "Question:", "Today:", "Honestly,", "Wow."),
        ("Yes!", "Great.", "Honestly,", "Fun fact:", "Good news:", "Wow.", "Thank you."),
    ),
    "de": (
        ("Puh.", "Na toll.", "Schon wieder.", "Ehrlich,", "Super."),
        ("Hm.", "Frage:", "Heute:", "Also,"),
        ("Ja!", "Super.", "Ehrlich,", "Danke.", "Endlich."),
    ),
}
TAILS = {
    "en": (
        ("Time to look elsewhere.", "Looking at alternatives.", "Just wow.", "Anyone else?", "Rant over.",
         "Never again.", "At least the logo is nice.", "Keep up the good work, I guess."),
        ("Any thoughts?", "Anyone else?", "Let me know.", "Will report.", "Curious.", "See link."),
        ("Keep up the good work!", "Just wow.", "Highly recommended.", "Anyone else?", "Happy customer here.",
         "Made my day."),
    ),
    "de": (
        ("Wir suchen Alternativen.", "Nie wieder.", "Noch jemand?", "Weiter so, echt.", "Mir reicht es."),
        ("Noch jemand?", "Tipps?", "Danke vorab.", "Ich berichte."),
        ("Weiter so!", "Klare Empfehlung.", "Noch jemand?", "Top."),
    ),
}  # fmt: skip
"""By mood, negative first; much may be meant either way."""
HASHTAGS = ("#saas", "#b2b", "#software", "#productivity", "#support", "#startup", "#fail", "#monday", "#data")
EMOJI = (("😡", "🙄", "😂", "🤦", "😭", "👏"), ("🤔", "👀", "🙂"), ("😍", "🎉", "👏", "😂", "🙏"))
"""By mood; applause and laughter may be meant either way."""
COPIES = ("RT {author}: {text}", "{text} (via {author})", "This. {text}", "{text} 👆", "“{text}”")
REVIEW_TITLES = {
    "negative": (
        "Not worth the money", "Many bugs", "Slow support", "We switched", "Expected more", "Fine until it was not",
        "Good idea, poor delivery", "Great sales, no support",
    ),
    "neutral": (
        "Solid, with gaps", "Does the job", "Okay for small teams", "Good and bad", "Fine", "Decent, a bit pricey",
    ),
    "positive": (
        "Great tool", "Our team loves it", "Saves time every day", "Excellent support", "Not cheap, but worth it",
        "No complaints", "Finally something that works",
    ),
}  # fmt: skip
REVIEW_ASIDES = {
    "en": (
        "Pros: {feature}. Cons: the price.", "We came from {tool}.", "{who} uses it daily.",
        "Setup took {count} days.",
        "Support is there when you need it, mostly.", "Could be cheaper.", "We use it for {thing}.",
        "Nothing to add on {feature}.", "Reviewed after a year of use.",
    ),
    "de": ("Wir kamen von {tool}.", "Könnte günstiger sein.", "Einrichtung dauerte {count} Tage.",
           "{who} nutzt es täglich."),
}  # fmt: skip
