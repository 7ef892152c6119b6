"""Speak and hear for `speech`, without recordings: words as formants, harmonics and hiss."""

from __future__ import annotations

import io
import wave
from typing import NamedTuple

import numpy as np

RATE, HOP, WINDOW, BANDS = 8000, 100, 256, 24  # samples per second, of a frame; bands heard
WORDS = dict(line.split(":") for line in """\
zero:z i r o|one:w a n|two:t u|three:h r i|four:f o r|five:f a i v|six:s i k s|seven:s e v e n
eight:e i t|nine:n a i n|yes:j e s|no:n o|left:l e f t|right:r a i t|up:a p|down:d a u n|go:g o
stop:s t o p|on:o n|off:o f""".replace("\n", "|").split("|"))  # fmt: skip


class Phone(NamedTuple):
    """Formants in Hz, loudness of voice and of hiss, the hiss's band in Hz, seconds."""

    formants: tuple[float, float, float]
    voice: float = 1.0
    hiss: float = 0.0
    band: tuple[float, float] = (0, 4000)
    time: float = 0.09


PHONES = {
    "a": Phone((700, 1200, 2500), time=0.12), "e": Phone((500, 1800, 2500), time=0.11),
    "i": Phone((300, 2200, 2900), time=0.11), "o": Phone((450, 850, 2500), time=0.12),
    "u": Phone((320, 750, 2300), time=0.12), "r": Phone((350, 1100, 1500), 0.7),
    "l": Phone((380, 1000, 2700), 0.6), "n": Phone((250, 1500, 2500), 0.4),
    "w": Phone((300, 650, 2200), 0.6, time=0.07), "j": Phone((270, 2200, 2900), 0.6, time=0.07),
    "z": Phone((250, 1400, 2500), 0.25, 0.5, (2800, 4000)), "v": Phone((250, 1200, 2400), 0.3, 0.2),
    "s": Phone((300, 1500, 2500), 0.0, 1.0, (2800, 4000)), "f": Phone((300, 1200, 2400), 0.0, 0.4),
    "h": Phone((300, 1300, 2400), 0.0, 0.5, (1300, 3000)),
    "t": Phone((300, 1700, 2600), 0.0, 0.8, (2500, 4000), 0.05),
    "k": Phone((300, 1900, 2300), 0.0, 0.8, (1400, 2600), 0.05),
    "p": Phone((300, 900, 2300), 0.0, 0.7, (300, 1200), 0.05),
    "d": Phone((250, 1700, 2600), 0.4, 0.3, (2500, 4000), 0.05),
    "g": Phone((250, 1900, 2300), 0.4, 0.3, (1400, 2600), 0.05),
    " ": Phone((400, 1200, 2500), 0.0, 0.0, time=0.08),
}  # fmt: skip


class Speaker(NamedTuple):
    """A way to say words: pitch in Hz, speed, length of the throat (1: an adult's), noise."""

    pitch: float = 120.0
    speed: float = 1.0
    throat: float = 1.0
    noise: float = 0.003


def spoken(text: str, speaker: Speaker, random: np.random.Generator) -> np.ndarray:
    """Return the sound of words of `WORDS`, one number for each of 8,000 moments a second."""
    phones = [
        PHONES[p] for word in ["", *text.split(), ""] for p in [*WORDS.get(word, "").split(), " "]
    ]
    counts = [
        max(60, int(p.time * RATE / speaker.speed * random.uniform(0.85, 1.15))) for p in phones
    ]
    at = np.repeat(np.arange(len(phones)), counts)
    smooth = lambda values: np.convolve(np.asarray(values, float)[at], np.ones(240) / 240, "same")
    drift = 1 + 0.06 * np.sin(np.arange(len(at)) / len(at) * 3 + random.uniform(0, 6))
    turn = 2 * np.pi * np.cumsum(speaker.pitch * drift) / RATE
    harmonics = np.arange(1, int(3900 / speaker.pitch))[:, None]
    hertz = harmonics * speaker.pitch * drift
    tone = np.zeros_like(hertz)
    for k, loud in enumerate((1.0, 0.6, 0.3)):
        middle = smooth([p.formants[k] / speaker.throat for p in phones])
        tone += loud / (1 + ((hertz - middle) / (60 + 30 * k)) ** 2)
    sound = (np.sin(harmonics * turn) * tone).sum(0) * smooth([p.voice for p in phones])
    return sound + hiss(phones, at, random) + speaker.noise * random.normal(size=len(at))


def hiss(phones: list[Phone], at: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the noise of s, f, t, …: each in its own band."""
    made, hertz = np.zeros(len(at)), np.fft.rfftfreq(len(at), 1 / RATE)
    for band in {p.band for p in phones if p.hiss}:
        loud = np.array([p.hiss if p.band == band else 0.0 for p in phones])[at]
        noise = np.fft.rfft(random.normal(size=len(at)))
        noise[(hertz < band[0]) | (hertz > band[1])] = 0
        made += 0.5 * np.fft.irfft(noise, len(at)) * np.convolve(loud, np.ones(120) / 120, "same")
    return made


def heard(sound: np.ndarray) -> np.ndarray:
    """Return the spectrogram (frames, BANDS): log power, less its mean, low bands narrow."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.round(np.geomspace(6, WINDOW // 2 + 6, BANDS + 1) - 6).astype(np.int64)
    bands = [power[:, low : max(high, low + 1)].mean(1) for low, high in zip(edges, edges[1:])]
    loud = np.log(np.stack(bands, 1) + 1e-4)
    return ((loud - loud.mean()) / 3).astype(np.float32)


def wav(sound: np.ndarray, rate: int = RATE) -> bytes:
    """Return a sound as a WAV file of 16 bits."""
    loud = sound / max(1e-9, float(np.abs(sound).max())) * 0.8
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((loud * 32767).astype("<i2").tobytes())
    return file.getvalue()
