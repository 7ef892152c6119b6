"""Colours: enough contrast for everyone, dark is large, and nothing hides that it is not finite."""

from __future__ import annotations

import math

import pytest

from tinygrad_rnn.draw.palette import (
    BRIGHT,
    BROKEN,
    CIVIDIS,
    DARK,
    FOUND,
    GRAYS,
    LIGHT,
    PALETTES,
    SELECTED,
    ZERO,
    Scale,
    contrast,
)


def test_contrast_is_the_standards():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("paper", [LIGHT.paper, LIGHT.panel])
@pytest.mark.parametrize("colour", [*CIVIDIS, *GRAYS, ZERO, BROKEN, SELECTED, FOUND, LIGHT.wire])
def test_lines_have_the_contrast_that_wcag_asks_for(colour, paper):
    assert contrast(colour, paper) >= 3.0


@pytest.mark.parametrize("paper", [DARK.paper, DARK.panel])
@pytest.mark.parametrize("colour", [*BRIGHT, DARK.wire])
def test_lines_have_it_on_dark_paper_too(colour, paper):
    assert contrast(colour, paper) >= 3.0


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_has_the_contrast_of_text(theme):
    for fill in (theme.paper, theme.panel, theme.inner, *theme.fills.values()):
        assert contrast(theme.ink, fill) >= 4.5
    assert contrast(theme.faint, theme.panel) >= 4.5


@pytest.mark.parametrize("name", PALETTES)
def test_larger_is_darker_and_wider(name):
    scale = Scale.over([1e-5, 1.0], name)
    strokes = [scale.stroke(10.0**k) for k in range(-5, 1)]
    widths = [s.width for s in strokes]
    assert widths == sorted(widths) and widths[-1] > 3 and widths[0] >= 0.8
    light = [contrast(s.colour, "#ffffff") for s in strokes]
    assert light == sorted(light)


def test_zero_tiny_missing_and_broken_differ_without_colour():
    scale = Scale.over([1.0, 1e-9])
    dashes = [scale.stroke(v).dash for v in (1.0, 1e-8, 0.0)]
    assert len(set(dashes)) == 3
    assert scale.stroke(None).colour == LIGHT.wire and not scale.stroke(None).dash
    assert scale.stroke(math.nan).broken and scale.stroke(math.inf).broken


@pytest.mark.parametrize("norms", [[], [0.0], [1.0], [math.nan, math.inf], [1e-300, 1e300]])
def test_a_scale_over_anything(norms):
    scale = Scale.over(norms)
    for norm in [*norms, None, 0.0, 5e-324, 1.7e308]:
        assert scale.stroke(norm).width > 0
