"""The language of texts: what a model learnt from, and what it refuses because it never saw it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.learning.context import Context
from pipelines.learning.texts.classifier import fit_texts
from pipelines.learning.texts.cleaning import cleaned_all
from pipelines.learning.texts.labelling import labelled
from pipelines.learning.texts.languages import NAMES, known_shares, languages_learnt, languages_of
from pipelines.learning.texts.terms import spaced

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
SUPPORT = {
    "de": [
        "Wo ist meine Karte?",
        "Meine Rechnung stimmt nicht, bitte prüfen",
        "Ich kann mich nicht einloggen",
        "Der Server antwortet seit heute Morgen nicht mehr",
        "Warum wurde mir die Gebühr zweimal berechnet?",
    ],
    "fr": [
        "Où est ma carte ?",
        "Je ne peux pas me connecter à mon compte",
        "Pourquoi ai-je été débité deux fois ?",
        "Mon vol a été annulé et personne ne répond",
    ],
    "es": [
        "¿Dónde está mi tarjeta?",
        "No puedo iniciar sesión en mi cuenta",
        "¿Por qué me han cobrado dos veces?",
        "Mi vuelo fue cancelado y nadie contesta",
    ],
    "nl": [
        "Waar is mijn kaart?",
        "Ik kan niet inloggen op mijn account",
        "De factuur klopt niet, graag controleren",
        "Waarom is het bedrag twee keer afgeschreven?",
    ],
    "ru": [
        "Счёт неправильный, проверьте пожалуйста",
        "Почему с меня сняли деньги дважды?",
        "Где моя карта? Она так и не пришла",
    ],
    "zh": ["我的卡在哪里", "我无法登录我的账户", "为什么扣了我两次钱?", "航班取消了,没有人回复"],
}
SAID = {
    "billing": ["the invoice has a wrong amount", "my card was charged two times", "please refund what I have paid"],
    "login": ["I cannot log in to my account", "the password is not accepted", "the page for signing in is down"],
}
SAGT = {
    "billing": ["die Rechnung hat einen falschen Betrag", "meine Karte wurde doppelt belastet"],
    "login": ["ich kann mich nicht anmelden", "das Passwort wird nicht angenommen"],
}
ENDINGS = ["since Monday", "and nobody answers", "as I wrote before", "on all our phones", "which is a pity", "again"]


def _texts(phrases: dict[str, list[str]], endings: list[str], each: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(1)
    texts, labels = [], []
    for label, said in phrases.items():
        for _ in range(each):
            texts.append(f"{rng.choice(said)} {rng.choice(endings)} {rng.choice(endings)}")
            labels.append(label)
    return texts, labels


def test_a_language_that_the_model_never_saw_has_no_label_and_says_which():
    model = fit_texts(*_texts(SAID, ENDINGS, 40), Context()).model
    assert list(model.languages) == ["en"]
    scores = labelled(
        model, [*SUPPORT["es"], "ok", "thx", "@them Awwweesssooomee!", "invoice 4711", "my invoice is wrong"]
    )
    foreign, known = scores[: len(SUPPORT["es"])], scores[len(SUPPORT["es"]) :]
    assert foreign["predicted"].null_count() == foreign["probability_login"].null_count() == foreign.height
    assert foreign["reason_1"].unique().to_list() == ["It is in Spanish; the model learnt from English."]
    assert foreign["language"].unique().to_list() == ["es"] and foreign["reasons"].null_count() == foreign.height
    assert not known["reason_1"].str.contains("It is in").any()
    assert known["predicted"][-1] == "billing" and known["language"][-1] == "en"


def test_one_model_knows_several_languages():
    english, german = _texts(SAID, ENDINGS, 40), _texts(SAGT, ["seit Montag", "und keiner antwortet", "leider"], 20)
    fit = fit_texts(english[0] + german[0], english[1] + german[1], Context())
    assert list(fit.model.languages) == ["en", "de"]
    told = {row["language"]: row for row in fit.figures["languages"]}
    assert told["de"]["name"] == "German" and 0 < told["de"]["texts_of_test"] < told["en"]["texts_of_test"]
    assert all(0.5 < row["accuracy"] <= 1 for row in told.values())
    scores = labelled(fit.model, ["Die Rechnung ist leider falsch", "The invoice is wrong again", SUPPORT["es"][1]])
    assert scores["language"].to_list() == ["de", "en", "es"]
    assert scores["predicted"].to_list() == ["billing", "billing", None]
    assert scores["reason_1"][2] == "It is in Spanish; the model learnt from English and German."


def test_no_language_is_foreign_to_a_model_whose_texts_tell_none():
    assert languages_learnt(["ok", "thx", "4711"] * 20) == {}
    found, is_foreign = languages_of(SUPPORT["de"], {}, np.zeros(len(SUPPORT["de"])))
    assert found == ["de"] * len(SUPPORT["de"]) and not is_foreign.any()


@pytest.mark.real_data
@pytest.mark.parametrize(("path", "column"), [("banking77/test.csv", "text"), ("airline_posts/posts.csv", "text")])
def test_of_real_texts_hardly_one_is_refused_and_those_of_other_languages_are(path: str, column: str):
    if not (DATA / path).exists():
        pytest.skip(f"{path} is not beside the repository")
    texts = list(cleaned_all(pl.read_csv(DATA / path, infer_schema=False)[column].unique(maintain_order=True)))
    half = len(texts) // 2
    learnt = languages_learnt(texts[:half])
    vocabulary = {word for text in spaced(texts[:half]) for word in text.split(" ")}
    known = texts[half:]
    assert list(learnt) == ["en"]
    assert languages_of(known, learnt, known_shares(vocabulary, spaced(known)))[1].mean() <= 0.002
    for code, said in SUPPORT.items():
        found, is_foreign = languages_of(said, learnt, known_shares(vocabulary, spaced(said)))
        assert is_foreign.mean() >= 0.75, (NAMES[code], found)


def test_one_unknown_word_of_latin_letters_proves_no_other_language_and_one_of_others_does():
    shares = known_shares(
        {"my", "@"}, ["@ them awwwesome !", "awww somme", "my спасибо", "спасибо", "4711 !", "@ you", ""]
    )
    assert shares[:4].tolist() == [1.0, 0.0, 0.5, 0.0] and np.isnan(shares[4:]).all()
