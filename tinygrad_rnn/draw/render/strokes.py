"""A font of pen strokes, for pixels where there is no font to ask for.

A sign is a row of strokes, a stroke a row of points "xy" on a grid: the base line is y = 2, small
letters reach y = 6 and capitals y = 9. A stroke that starts with ~ is rounded.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from ..labels import ascii_only

# fmt: off
RING, ZERO, BOWL = "~163645433212030516", "~193947443212040719", "~093958573606"
ESS = "~583919080716455453422203"
SIGNS = {
    "A": "023962 1454", "B": f"0902 {BOWL} ~063655533202", "C": "~5839190704123253",
    "D": "0902 ~093957543202", "E": "59090252 0646", "F": "590902 0646",
    "G": "~583919070412325355 5535", "H": "0902 5952 0656", "I": "0902", "J": "~4944321203",
    "K": "0902 5905 2652", "L": "090252", "M": "0209346962", "N": "02095259",
    "O": "~294967644222040729", "P": f"0902 {BOWL}", "Q": "~294967644222040729 4462",
    "R": f"0902 {BOWL} 3652", "S": ESS, "T": "0969 3932", "U": "~090412425459", "V": "093269",
    "W": "0922496289", "X": "0259 0952", "Y": "093569 3532", "Z": "09590252",
    "a": f"4642 {RING}", "b": f"0902 {RING}", "c": "~4636160503123242", "d": f"4942 {RING}",
    "e": "0444 ~444536160503123242", "f": "~39291817 1712 0636", "g": f"~4641301001 {RING}",
    "h": "0902 ~0516364542", "i": "0602 0808", "j": "161100 1818", "k": "0902 4603 2442",
    "l": "0902", "m": "0602 ~0516263532 ~3546566562", "n": "0602 ~0516364542", "o": RING,
    "p": f"0600 {RING}", "q": f"4640 {RING}", "r": "0602 ~05162636",
    "s": "~45361605143443321203", "t": "~18132232 0636", "u": "~0603123243 4642", "v": "062246",
    "w": "0612365266", "x": "0246 0642", "y": "0622 4610", "z": "06460242",
    "0": ZERO, "1": "072922", "2": "~0819394846 460242", "3": "~08193948473616 ~16364543321203",
    "4": "32390444", "5": "490906 ~06364543321203", "6": "~3918060312324345361605",
    "7": "094912", "8": f"~193948473616070819 {RING}", "9": "~1233454839190806153546",
    ".": "0202", ",": "1201", ":": "0202 0606", ";": "0606 1201", "-": "0535", "_": "0151",
    "+": "2327 0545", "=": "0444 0646", "/": "0149", "\\": "0941", "(": "~29070321",
    ")": "~09272301", "[": "29090121", "]": "09292101", "{": "39282615242231",
    "}": "09181625141201", "|": "0901", "!": "0904 0202", "?": "~08193948462524 2222",
    "'": "0907", '"': "0907 2927", "*": "2529 0648 0846", "#": "1218 3238 0444 0646",
    "%": "0249 0919180809 3444433334", "&": "5217182938370403123254", "`": "0918",
    "@": "~52311204061839586664534446 ~463625243344", "<": "480542", ">": "084502",
    "^": "072947", "~": "~05163445", "$": f"{ESS} 3932",
    "Γ": "020959", "Δ": "02396202", "Σ": "5909350252", "σ": f"{RING} 1656", "θ": f"{ZERO} 0646",
    "∂": "~081939474432120304163645", "λ": "091942 2602", "⟨": "290521", "⟩": "092501",
    "→": "0565 476543", "←": "0565 270523", "√": "0515224969", "×": "0347 0743",
    "÷": "0545 2727 2323", "−": "0545", "–": "0545", "—": "0565", "·": "0505", "‖": "0901 2921",
    "⋯": "0505 2525 4545", "…": "0202 2222 4242", "∘": "~1625140516", "✖": "0248 0842",
    "∞": "~35261605142435465665544435", "²": "0929280626", "≤": "480644 0242", "ᵀ": "0929 1915",
    "◧": "0343470703 1317 0317 0713 2327", "◨": "0343470703 2327 3337 2347 2743",
    "\u0302": "172837", "\u0303": "~07183748",
}
# fmt: on
WIDE, HIGH, GAP, SPACE = 0.088, 0.098, 2.0, 3.0  # of the size: a step of the grid; then steps

Segments = np.ndarray  # one row x0 y0 x1 y1 each


@cache
def sign(letter: str) -> tuple[Segments, float]:
    """Return the strokes of a sign in units of the font's size, y down from the base line."""
    pieces = [_stroke(text) for text in SIGNS[letter].split()]
    found = np.concatenate([np.hstack([p[:-1], p[1:]]) for p in pieces])
    return found, (found[:, [0, 2]].max() + GAP * WIDE)


def _stroke(text: str) -> np.ndarray:
    digits = [int(digit) for digit in text.lstrip("~")]
    points = np.array([digits[0::2], digits[1::2]], float).T
    for _ in range(2 if text[0] == "~" else 0):
        points = _rounded(points)
    return np.stack([points[:, 0] * WIDE, (2 - points[:, 1]) * HIGH], 1)


def _rounded(points: np.ndarray) -> np.ndarray:
    """Return the stroke with its corners cut; a closed one stays closed."""
    a, b = points[:-1], points[1:]
    cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2)
    if (points[0] == points[-1]).all():
        return np.concatenate([cut, cut[:1]])
    return np.concatenate([points[:1], cut[1:-1], points[-1:]])


def written(text: str) -> tuple[list[Segments], float]:
    """Return the strokes of each sign of a line of text, in place, and how long the line is."""
    x = 0.0
    made: list[Segments] = []
    for letter in unicodedata.normalize("NFD", text):
        for each in letter if letter in SIGNS or letter == " " else ascii_only(letter):
            if each == " ":
                x += SPACE * WIDE
                continue
            strokes, wide = sign(each)
            accent = bool(unicodedata.combining(each))
            shift = made[-1][:, [0, 2]].min() if accent and made else x
            made.append(strokes + [shift, 0, shift, 0])
            x += 0.0 if accent else wide
    return made, max(0.0, x - GAP * WIDE)
