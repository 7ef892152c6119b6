"""What tasks make themselves: letters in fonts, slips, tunes, sentences; by what can be counted."""

from __future__ import annotations

import struct
import tarfile
from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest

from tinygrad_rnn.tasks import intent, sentiment, spelling, strokes, tunes
from tinygrad_rnn.tasks.classification import words_of
from tinygrad_rnn.tasks.music import length_of
from tinygrad_rnn.tasks.ocr import distance
from tinygrad_rnn.tasks.words import pairs_loss
from tinygrad_rnn.text import TextError

RANDOM = np.random.default_rng


# Fonts
@pytest.mark.parametrize("letter", strokes.LETTERS)
def test_every_letter_leaves_ink_and_stays_on_the_paper(letter):
    for seed in range(20):
        font = strokes.Font.drawn(RANDOM(seed))
        image = strokes.written(letter, font)
        assert image.shape[0] == strokes.HIGH and 5 < image.sum() < 0.8 * image.size
        assert image.min() >= 0 and image.max() <= 1 and not image[:, -1].any()


def test_no_two_letters_look_alike_and_fonts_differ():
    plain = strokes.Font(0, 1, 0.6, 2, 1, 0, 0.0)
    images = [strokes.written(letter, plain).tobytes() for letter in strokes.LETTERS]
    assert len(set(images)) == len(strokes.LETTERS)
    fonts = {strokes.written("a", strokes.Font.drawn(RANDOM(k))).tobytes() for k in range(30)}
    assert len(fonts) == 30


def test_a_pixel_is_as_dark_as_its_distance_says():
    line = np.array([[[2.0, 8.0], [9.0, 8.0]]])  # level, seven pixels up from the bottom row
    column = strokes.ink(line, 12, 0.7)[:, 5]
    rows = strokes.HIGH - 1 - np.arange(strokes.HIGH)
    np.testing.assert_allclose(column, np.clip(1.2 - np.abs(rows - 8.0), 0, 1), atol=1e-12)


@pytest.mark.parametrize("a, b, apart", [("", "", 0), ("abc", "", 3), ("abc", "abd", 1),
                                         ("abc", "bc", 1), ("kitten", "sitting", 3)])  # fmt: skip
def test_letters_that_differ_are_counted(a, b, apart):
    assert distance(a, b) == distance(b, a) == apart


# Slips
def test_a_slip_is_one_of_a_typists_and_is_found_again():
    random, seen = RANDOM(0), set()
    for _ in range(2000):
        word = "spelling"
        typed = spelling.misspelt(word, random)
        seen.add(len(typed) - len(word) if typed != word else None)
        assert spelling.without_one(typed) & spelling.without_one(word)
    assert seen == {None, -1, 0, 1}


def test_neighbours_on_the_keyboard_are_mutual():
    for letter in "".join(spelling.ROWS):
        assert all(letter in spelling.neighbours(other) for other in spelling.neighbours(letter))
    assert spelling.neighbours("é") == "é"


# Tunes
def test_every_bar_of_a_tune_has_the_length_of_its_head():
    for seed in range(50):
        tune = tunes.made(RANDOM(seed))
        _, bars = tunes.notes_of(tune)
        assert bars == [length_of(tune)] * 16


def test_notes_are_read_with_key_octave_accidental_and_length():
    notes, bars = tunes.notes_of("M:3/4\nK:D\nF c' ^G,3/2 z/ =f | _B4 |")
    assert [n.pitch for n in notes] == [66, 85, 56, 0, 77, 70]
    assert [n.length for n in notes] == [1, 1, Fraction(3, 2), Fraction(1, 2), 1, 4]
    assert [n.start for n in notes] == [0, 1, 2, Fraction(7, 2), 4, 5] and bars == [5, 4]


def test_a_midi_file_says_each_note_on_and_off():
    notes, _ = tunes.notes_of("K:C\nC2 E z G|")
    file = tunes.midi(notes)
    assert file[:4] == b"MThd" and struct.unpack(">IHHH", file[4:14]) == (6, 0, 1, 480)
    (length,) = struct.unpack(">I", file[18:22])
    assert len(file) == 22 + length and file.endswith(b"\x00\xff\x2f\x00")
    for pitch in (60, 64, 67):
        assert file.count(bytes([0x90, pitch, 80])) == file.count(bytes([0x80, pitch, 80])) == 1
    assert bytes([0x83, 0x60, 0x80, 60]) in file  # a quarter note is 480 = 3 · 128 + 96 ticks


# Sentences
@pytest.mark.parametrize("text, praised", [("the film is good .", True),
    ("the plot is not dull at all .", True), ("nobody could call the hero warm .", False),
    ("the film is great , but the music is weak .", False)])  # fmt: skip
def test_made_opinions_mean_what_their_class_says(text, praised):
    made = {t: c for c, t in (sentiment.made(RANDOM([0, k])) for k in range(1500))}
    same = [c for t, c in made.items() if shape_of(t) == shape_of(text)]
    assert same and set(same) == {"liked" if praised else "not liked"}


def shape_of(text: str) -> str:
    """Return a sentence with each word of praise as +, each of blame as −, each thing as it."""
    for thing in sentiment.THINGS:
        text = text.replace(thing, "it")
    sign = dict.fromkeys(sentiment.GOOD, "+") | dict.fromkeys(sentiment.BAD, "−")
    return " ".join(sign.get(word, word) for word in text.split())


def test_film_sentences_are_read_out_of_the_source_package(tmp_path):
    rows = b"1\t2.5\tA fine film\n2\t-1.9\tDull, dull\n3\t0.2\tWell\n"
    inner, path = BytesIO(), tmp_path / "vader.tar.gz"
    packed(inner, f"x/{sentiment.SCORED}", rows)
    with path.open("wb") as file:
        packed(file, f"vader/{sentiment.INNER}", inner.getvalue())
    assert sentiment.scored(path) == [("liked", "A fine film"), ("not liked", "Dull, dull")]
    with (tmp_path / "other.tar.gz").open("wb") as file:
        packed(file, "something", b"else")
    with pytest.raises(TextError, match="is it vaderSentiment"):
        sentiment.scored(tmp_path / "other.tar.gz")


def packed(file, name: str, data: bytes) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as out:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        out.addfile(member, BytesIO(data))


def test_words_of_requests_held_out_are_not_learnt_from():
    random = RANDOM(0)
    learnt = {intent.filled("CITY", random, False) for _ in range(300)}
    held = {intent.filled("CITY", random, True) for _ in range(300)}
    assert not learnt & held and len(learnt | held) == len(intent.WORDS["CITY"].split())


def test_words_are_cut_in_every_script():
    assert words_of("Don’t stop!") == "don’t stop !"
    assert words_of("Ça va? Οχι, мир") == "ça va ? οχι , мир"


def test_counted_pairs_are_a_distribution():
    learnt = RANDOM(0).integers(0, 5, 200)
    total = sum(np.exp(-pairs_loss(learnt, np.array([2, w]), 5)) for w in range(5))
    assert total == pytest.approx(1, abs=0.02)  # the last word of all has nothing behind it
