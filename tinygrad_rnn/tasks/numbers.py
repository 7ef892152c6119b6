"""Number words of several languages → digits, from `task_list`: "four thousand and two" → 4002."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .task import Goal
from .translation import Translation, kept_apart

LANGUAGES = "en de fr es it nl pt sv".split()  # with num2words; else the five below
MOST = 100_000
EN = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
      "fifteen sixteen seventeen eighteen nineteen").split()  # fmt: skip
EN_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
DE = "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split()
DE_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
NL = ("nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien "
      "zestien zeventien achttien negentien").split()  # fmt: skip
NL_TENS = "twintig dertig veertig vijftig zestig zeventig tachtig negentig".split()
TR = "sıfır bir iki üç dört beş altı yedi sekiz dokuz".split()
TR_TENS = "on yirmi otuz kırk elli altmış yetmiş seksen doksan".split()
EO = "nul unu du tri kvar kvin ses sep ok naŭ".split()


def english(n: int) -> str:
    if n < 20:
        return EN[n]
    if n < 100:
        return EN_TENS[n // 10 - 2] + (f"-{EN[n % 10]}" if n % 10 else "")
    size, word, link = (1000, "thousand", " ") if n >= 1000 else (100, "hundred", " and ")
    rest = n % size
    link = " and " if rest < 100 else link
    return f"{english(n // size)} {word}" + (link + english(rest) if rest else "")


def german(n: int) -> str:
    teens = {16: "sechzehn", 17: "siebzehn"}
    if n < 13:
        return DE[n]
    if n < 20:
        return teens.get(n, DE[n - 10] + "zehn")
    if n < 100:
        return (f"{DE[n % 10]}und" if n % 10 else "") + DE_TENS[n // 10 - 2]
    size, word = (1000, "tausend") if n >= 1000 else (100, "hundert")
    return german(n // size) + word + (german(n % size) if n % size else "")


def dutch(n: int) -> str:
    if n < 20:
        return NL[n]
    if n < 100:
        link = "ën" if n % 10 in (2, 3) else "en"
        return (NL[n % 10] + link if n % 10 else "") + NL_TENS[n // 10 - 2]
    size, word = (1000, "duizend") if n >= 1000 else (100, "honderd")
    first = dutch(n // size) if n // size > 1 else ""
    return first + word + ((" " if size > 100 else "") + dutch(n % size) if n % size else "")


def by_places(ones: list[str], tens: Callable[[int], str], hundred: str, thousand: str) -> Callable:
    """Return the words of a language that says one after the other what stands in each place."""

    def words(n: int) -> str:
        said = []
        if n >= 1000:
            said += [words(n // 1000)] * (n >= 2000) + [thousand]
        if n % 1000 >= 100:
            said += [ones[n // 100 % 10]] * (n // 100 % 10 > 1) + [hundred]
        if n % 100 >= 10:
            said.append(tens(n // 10 % 10))
        return " ".join([*said, *([ones[n % 10]] if n % 10 or not n else [])])

    return words


BUILT_IN = {
    "en": english, "de": german, "nl": dutch,
    "tr": by_places(TR, lambda k: TR_TENS[k - 1], "yüz", "bin"),
    "eo": by_places(EO, lambda k: (EO[k] if k > 1 else "") + "dek", "cent", "mil"),
}  # fmt: skip


class Numbers(Translation):
    """Learn to read numbers below 100,000 in several languages; a tenth of them is held out."""

    name, title = "numbers", "Number words of several languages, translated into digits"
    asks = 'number words: sample out/numbers "zweiundvierzig"'
    goal = Goal("share exactly right", least=0.95)
    writers: list[Callable[[int], str]]

    def prepare(self) -> None:
        """Ask num2words, or take the languages above."""
        try:
            from num2words import num2words
        except ImportError:
            self.writers = list(BUILT_IN.values())
            return
        self.writers = [partial(num2words, lang=language) for language in LANGUAGES]

    def pair(self, random: np.random.Generator, held: bool) -> tuple[str, str]:
        """Return the words of a number, and its digits; short numbers come as often as long."""
        while True:
            n = int(random.integers(10 ** random.integers(1, 6)))
            if (n >= 100 and kept_apart(n)) == held:  # no word is only in numbers held out
                return self.writers[random.integers(len(self.writers))](n), str(n)
