"""The cheat sheet: each cell's equations, code and picture on one page; printed where one can."""

from __future__ import annotations

import re
import shutil

import pytest

from tools import cheat_sheet


def test_the_page_has_equation_code_and_picture_of_each_cell():
    page = cheat_sheet.page()
    assert page.count("<svg") == page.count('<div class="eq">') == len(cheat_sheet.CELLS)
    assert "c<sup>⟨t⟩</sup> = Γ<sub>f</sub> ∘ c<sup>⟨t−1⟩</sup> + Γ<sub>u</sub> ∘ c̃" in page
    assert "c_next = Γ_f * c + Γ_u * c̃" in page and "d_W_f += g5.T @ ax" in page
    assert "\\" not in re.sub(r"<(style|svg).*?</\1>", "", page, flags=re.DOTALL)


@pytest.mark.browser
def test_it_is_printed_on_one_page():
    if not any(map(shutil.which, cheat_sheet.CHROMIUM)):
        pytest.skip("no Chromium")
    made = cheat_sheet.printed(cheat_sheet.page())
    assert made is not None and made.startswith(b"%PDF")
    assert re.findall(rb"/Type\s*/Pages.*?/Count (\d+)|/Count (\d+)", made)[0].count(b"1") == 1


def test_without_a_browser_there_is_no_pdf(monkeypatch):
    monkeypatch.setattr(cheat_sheet, "CHROMIUM", ("no-such-browser",))
    assert cheat_sheet.printed("") is None
