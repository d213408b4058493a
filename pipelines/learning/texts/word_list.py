"""Moods of texts by a list of words, where nobody has labelled any yet. English alone.

Hutto and Gilbert (2014), "VADER: a parsimonious rule-based model for sentiment analysis of social media text".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

MOODS = ("negative", "neutral", "positive")
LANGUAGE = "en"
CLEAR = 0.05
"""How far from 0 the sum of a text's words has to be, of -1 to 1: the authors' own threshold."""


class Mood(NamedTuple):
    """What the list says of a text."""

    mood: str
    words: list[str]
    """Its words with that mood, the strongest first; none where it is neutral."""


def moods(texts: Sequence[str]) -> list[Mood]:
    """The mood of every text (cleaned, in English), in their order."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return [_mood(analyzer, text) for text in texts]


def _mood(analyzer: "SentimentIntensityAnalyzer", text: str) -> Mood:
    sum_of_words = analyzer.polarity_scores(text)["compound"]
    sign = (sum_of_words >= CLEAR) - (sum_of_words <= -CLEAR)
    weights = {word: analyzer.lexicon.get(word.strip(".,!?;:()\"'").lower(), 0.0) for word in text.split()}
    speaking = sorted((word for word, weight in weights.items() if sign * weight > 0), key=lambda w: -abs(weights[w]))
    return Mood(MOODS[1 + sign], [word.strip(".,!?;:()\"'") for word in speaking])
