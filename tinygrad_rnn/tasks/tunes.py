"""Make, read and play tunes in ABC for `music`.

A letter is a note, a number behind it its length, a bar ends with |.
"""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from .voice import RATE, wav

STEPS = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11)))
SHARPS = {"D": "FC", "G": "F", "A": "FCG", "C": "", "Em": "F", "Am": "", "Bm": "FC"}
NAMES = "A, B, C D E F G A B c d e f g a b".split()  # upwards
NOTE = re.compile(r"(\^|_|=)?([A-Ga-gz])([,']*)(\d*)(/*)(\d*)|\|")


class Note(NamedTuple):
    """A pitch in MIDI's numbers (60 is the middle C, 0 a rest), begin and length in eighths."""

    pitch: int
    start: Fraction
    length: Fraction


def notes_of(abc: str) -> tuple[list[Note], list[Fraction]]:
    """Return the notes of a tune, and how long each of its bars is, in eighths.

    >>> notes, bars = notes_of("K:G\\nG2 B2 | F4 |")
    >>> [note.pitch for note in notes], [int(bar) for bar in bars]
    ([67, 71, 66], [4, 4])
    """
    key = re.search(r"^K: *(\S+)", abc, re.MULTILINE)
    sharp = SHARPS.get(key[1] if key else "C", "")
    body = "\n".join(line for line in abc.split("\n") if line[1:2] != ":")
    notes, bars, now, begun = [], [], Fraction(0), Fraction(0)
    for found in NOTE.finditer(body):
        mark, letter, octave, many, halves, parts = found.groups()
        if letter is None:
            if now > begun:
                bars.append(now - begun)
            begun = now
            continue
        by = int(parts or 2) if halves else 1
        length = Fraction(int(many or 1), max(1, by))
        raised = {"^": 1, "_": -1, "=": 0}.get(mark, int(letter.upper() in sharp))
        pitch = 60 + STEPS.get(letter.upper(), 0) + raised + 12 * letter.islower()
        pitch += 12 * (octave.count("'") - octave.count(","))
        notes.append(Note(0 if letter == "z" else pitch, now, length))
        now += length
    return notes, bars


def made(random: np.random.Generator) -> str:
    """Return a tune of two parts, made by rule: chord tones on the beats, steps between them."""
    jig = bool(random.integers(2))
    key = "DGA"[random.integers(3)]
    beats, size = (2, 3) if jig else (4, 2)  # eighths of a beat
    home = NAMES.index(key) % 7
    parts = []
    for _ in range(2):
        bars = [bar(random, home + way, beats, size) for way in (0, 3, 0, 4)]
        half = bar(random, home + 4, beats // 2, size)
        parts.append([*bars, *bars[:3], f"{half} {NAMES[home + 7]}{size * beats // 2}"])
    told = [" ".join(f"{one} |" for one in part) for part in parts]
    return f"M:{'6/8' if jig else '4/4'}\nK:{key}\n{told[0]}\n{told[1]}\n"


def bar(random: np.random.Generator, root: int, beats: int, size: int) -> str:
    """Return a bar over the chord of a degree of the scale."""
    chord = [k for k in range(3, len(NAMES) - 3) if (k - root) % 7 in (0, 2, 4)]
    at, said = int(chord[random.integers(len(chord))]), []
    for _ in range(beats):
        near = [k for k in chord if abs(k - at) <= 3]
        at = int(near[random.integers(len(near))])
        said.append(beat(random, at, size))
    return " ".join(said)


def beat(random: np.random.Generator, at: int, size: int) -> str:
    """Return a beat that begins on a tone: held, or moving by steps."""
    kind = random.integers(3)
    if kind == 0:
        return f"{NAMES[at]}{size}"
    up = int(random.choice([-1, 1]))
    if size == 3 and kind == 1:
        return f"{NAMES[at]}2{NAMES[at + up]}"
    moves = (0, up, 0) if kind == 1 else (0, up, 2 * up)
    return "".join(NAMES[at + move] for move in moves[:size])


def sound(notes: list[Note], eighth: float = 0.19) -> bytes:
    """Return the tune as a WAV file: strings that are plucked, three overtones each."""
    last = max((note.start + note.length for note in notes), default=Fraction(1))
    made = np.zeros(int((float(last) * eighth + 1) * RATE))
    for note in notes:
        if note.pitch:
            time = np.arange(int((float(note.length) * eighth + 0.3) * RATE)) / RATE
            turn = 2 * np.pi * 440 * 2 ** ((note.pitch - 69) / 12) * time
            k = np.array([[1], [2], [3]])
            tone = (np.sin(k * turn) * np.exp(-time * (2 + 2 * k)) / k).sum(0)
            at = int(float(note.start) * eighth * RATE)
            made[at : at + len(tone)] += tone * np.minimum(1, time * 200)
    return wav(made)


def midi(notes: list[Note], ticks: int = 240) -> bytes:
    """Return the tune as a MIDI file, a quarter note being 2 × `ticks`."""
    events = [(n.start + n.length, 0x80, n.pitch) for n in notes if n.pitch]
    events += [(n.start, 0x90, n.pitch) for n in notes if n.pitch]
    track, now = b"\x00\xff\x51\x03" + (380_000).to_bytes(3, "big"), 0
    for time, kind, pitch in sorted(events):
        at = int(time * ticks)
        track += _seven_bits(at - now) + bytes([kind, min(127, pitch), 80])
        now = at
    track += b"\x00\xff\x2f\x00"
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 2 * ticks)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


def _seven_bits(number: int) -> bytes:
    parts = [number & 127]
    while number := number >> 7:
        parts.append(number & 127 | 128)
    return bytes(reversed(parts))
