"""Write letters and digits with strokes, in as many fonts as wanted, for `ocr` and `digits`.

A letter is some lines over a grid 4 wide and 8 high, two numbers for each point; its base is at 2.
A font bends, leans, widens and thickens all of them in its own way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

HIGH = 16  # pixels of an image
UNIT, BOTTOM = 1.55, 1.6  # pixels of a step of the grid, below it
BOWL = "45 36 16 05 03 12 32 43"


def points_of(line: str) -> np.ndarray:
    """Return the points of a line: two digits are one.

    >>> points_of("46 42").tolist()
    [[4.0, 6.0], [4.0, 2.0]]
    """
    return np.array([list(map(int, point)) for point in line.split()], np.float64)


LETTERS = {
    line[0]: [points_of(part) for part in line[2:].split("/")]
    for line in f"""\
a 46 42/{BOWL}
b 08 02/05 16 36 45 43 32 12 03
c {BOWL}
d 48 42/{BOWL}
e 04 44 45 36 16 05 03 12 32 43
f 47 38 28 17 12/06 36
g 46 41 30 10 01/{BOWL}
h 08 02/05 16 36 45 42
i 15 12/18 18
j 35 31 20 10/38 38
k 08 02/46 04 42
l 18 13 22 32
m 06 02/05 16 25 22/25 36 45 42
n 06 02/05 16 36 45 42
o 16 05 03 12 32 43 45 36 16
p 06 00/05 16 36 45 43 32 12 03
q 46 40/{BOWL}
r 06 02/05 16 36 45
s 45 36 16 05 14 34 43 32 12 03
t 18 13 22 32 43/06 36
u 06 03 12 32 43/46 42
v 06 22 46
w 06 12 25 32 46
x 06 42/46 02
y 06 22/46 10
z 06 46 02 42
0 18 07 03 12 32 43 47 38 18
1 06 28 22
2 07 18 38 47 46 02 42
3 07 18 38 47 46 35 15/35 44 43 32 12 03
4 38 04 44/36 32
5 48 08 05 35 44 43 32 12 03
6 47 38 18 07 03 12 32 43 44 35 15 04
7 08 48 12
8 15 06 07 18 38 47 46 35 15 04 03 12 32 43 44 35
9 46 35 15 06 07 18 38 47 43 32 12 03""".splitlines()
}


class Font(NamedTuple):
    """The looks of letters: lean, width, thickness in pixels, gap between them, round corners, and
    by how much the points of each letter lie elsewhere, which is the font's own hand."""

    lean: float
    wide: float
    thick: float
    gap: float
    rounds: int
    hand: int
    shaky: float

    @staticmethod
    def drawn(random: np.random.Generator) -> Font:
        """Return a font of chance."""
        between = random.uniform
        looks = between(-0.1, 0.35), between(0.75, 1.15), between(0.4, 0.95), between(1.6, 2.4)
        return Font(*looks, int(random.integers(3)), int(random.integers(2**31)), between(0, 0.15))

    def lines(self, letter: str) -> list[np.ndarray]:
        """Return a letter's lines in this font, over the grid."""
        random = np.random.default_rng([self.hand, ord(letter)])
        made = []
        for line in LETTERS[letter]:
            points = rounded(line + random.normal(0.0, self.shaky, line.shape), self.rounds)
            made.append(np.stack([points[:, 0] * self.wide + self.lean * (points[:, 1] - 2),
                                  points[:, 1]], 1))  # fmt: skip
        return made


def rounded(points: np.ndarray, times: int) -> np.ndarray:
    """Return a line with its corners cut (Chaikin's rule)."""
    for _ in range(times):
        near, far = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
        between = np.stack([near, far], 1).reshape(-1, 2)
        points = np.concatenate([points[:1], between[1:-1], points[-1:]])
    return points


def written(word: str, font: Font) -> np.ndarray:
    """Return the image (HIGH, width) of a word of letters and digits: 0 is paper, 1 is ink."""
    letters, at = [], 1.0
    for letter in word:
        strokes = font.lines(letter)
        left = min(line[:, 0].min() for line in strokes)
        ends = np.concatenate([np.stack([line[:-1], line[1:]], 1) for line in strokes])
        letters.append((ends + [at - left, 0]) * UNIT)
        at += max(line[:, 0].max() for line in strokes) - left + font.gap
    image = np.zeros((HIGH, int(np.ceil(at * UNIT)) + 1))
    for ends in letters:
        low = int(max(0, ends[..., 0].min() - 3))
        part = image[:, low : int(ends[..., 0].max()) + 4]
        np.maximum(part, ink(ends - [low, -BOTTOM], part.shape[1], font.thick), out=part)
    return image


def ink(segments: np.ndarray, wide: int, thick: float) -> np.ndarray:
    """Return how dark each pixel (HIGH, wide) is by its distance from segments (N, 2, 2)."""
    x, y = np.arange(wide)[:, None], HIGH - 1 - np.arange(HIGH)[:, None, None]
    (x0, y0), (dx, dy) = segments[:, 0].T, (segments[:, 1] - segments[:, 0]).T
    along = ((x - x0) * dx + (y - y0) * dy) / np.maximum(1e-9, dx * dx + dy * dy)
    along = along.clip(0, 1)
    apart = np.hypot(x - x0 - along * dx, y - y0 - along * dy).min(-1)
    return np.clip(thick + 0.5 - apart, 0, 1)
