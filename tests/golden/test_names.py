"""Every public name of PyTorch is there, or its absence says what to use."""

from __future__ import annotations

import pytest

import golden
import tinygrad_rnn as tg

HOMES = {"torch": tg, "nn.functional": tg.nn.functional, "Tensor": tg.Tensor, "nn": tg.nn,
         "optim": tg.optim, "optim.lr_scheduler": tg.optim.lr_scheduler, "nn.init": tg.nn.init,
         "linalg": tg.linalg}  # fmt: skip
CASES = golden.load("names")


@pytest.mark.parametrize("home", HOMES)
def test_every_name_is_there_or_says_what_to_use(home: str) -> None:
    names = [n for case in CASES if case.name == home for n in case.options["names"]]
    silent, there = [], 0
    for name in names:
        try:
            getattr(HOMES[home], name)
            there += 1
        except AttributeError as error:
            if "; use " not in str(error):
                silent.append(name)
    assert not silent and there > len(names) / 8


def test_an_absent_method_is_told_at_no_cost() -> None:
    x = tg.ones(2)
    assert not hasattr(x, "lgamma")
    with pytest.raises(AttributeError, match=r"Tensor has no 'cholesky'; use numpy\.linalg"):
        x.cholesky()
