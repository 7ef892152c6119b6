"""Give a whole row of tags its probability, as a linear-chain CRF; for programs.

Its normaliser Z sums over all rows of tags by the forward recurrence, whose α_t is the state of a
cell. Two algorithms that books derive by hand are then gradients: ∂ log Z/∂x_t holds the marginal
probabilities (forward–backward), and with max for the sum it is the best row of tags (Viterbi).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.backward import grad
from ..engine.context import enable_grad
from ..engine.ops import exp, log
from ..engine.options import floating, kind, whole
from ..engine.tensor import Tensor, tensor
from ..functions.indexing import gather
from ..functions.losses import reduced
from ..functions.random import Generator
from ..init import seeded, uniform
from .cell import Cell
from .masks import time_mask
from .module import Module, check_dtype
from .recurrent import Recurrent


class CRFForward(Cell):
    """Step α_t(j) = x_t(j) + log Σ_i exp(α_{t−1}(i) + A(i, j)), a product with exp A.

    With best=True the sum over i is a maximum: α is then the score of the best row of tags.
    """

    state_names = ("log_alpha",)

    def __init__(self, tags: int, transitions: Tensor, best: bool):
        super().__init__(tags, tags)
        self.transitions, self.best = transitions, best
        self.tiny = float(np.finfo(transitions.dtype).tiny)  # log 0 would have no gradient

    def step(self, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        if self.best:
            a = x + (a.unsqueeze(2) + self.transitions).max(1).values
        else:
            most = a.amax(-1, keepdims=True)
            a = x + most + log(exp(a - most) @ exp(self.transitions) + self.tiny)
        return a, a


class CRF(Module):
    """Scores rows of tags by their emissions (T, B, K) and by `transitions` (K, K) from tag to tag.

    `start` and `end` (K,) score the first and the last tag. `lengths` (B,) or `mask` (T, B) say
    what is real; `backend` compiles the recurrence ("auto", "c", "numpy").

    >>> import tinygrad_rnn as t
    >>> crf = t.nn.CRF(3, seed=0)
    >>> emissions = t.Generator(seed=0).normal((4, 1, 3))  # 4 steps, 1 sequence, 3 tags
    >>> best = crf.decode(emissions)
    >>> crf(emissions, t.tensor(best[0]).unsqueeze(1)).shape  # −log P(tags | emissions), the mean
    ()
    """

    def __init__(self, tags: int, *, seed: int | Generator | None = None, dtype: Any = None,
                 backend: str | None = None):  # fmt: skip
        self.tags, generator = whole(self, "tags", tags), seeded(self, seed)
        dtype = None if dtype is None else floating(self, "dtype", dtype)
        kind(self, "backend", backend, (str, type(None)), 'None or a backend such as "auto"')
        draw = lambda *shape: tensor(uniform(shape, -0.1, 0.1, generator=generator, dtype=dtype),
                                     requires_grad=True)  # fmt: skip
        self.start, self.end, self.transitions = draw(tags), draw(tags), draw(tags, tags)
        self._layers = {best: Recurrent(CRFForward(tags, self.transitions, best))
                        for best in (False, True)}  # fmt: skip
        if backend is not None:
            self._layers[False] = self._layers[False].compile(backend)

    def forward(self, emissions: Tensor, tags: Any, lengths: Any = None, mask: Any = None,
                reduction: str = "mean") -> Tensor:  # fmt: skip
        """Return −log P(tags | emissions) per sequence (reduction="none"), their mean or sum."""
        real = self._real(emissions, lengths, mask)
        return reduced(self._total(emissions, real) - self._score(emissions, tags, real), reduction)

    def log_partition(self, emissions: Tensor, lengths: Any = None, mask: Any = None) -> Tensor:
        """Return log Z (B,): the logarithm of the sum of exp(score) over all rows of tags."""
        return self._total(emissions, self._real(emissions, lengths, mask))

    def score(self, emissions: Tensor, tags: Any, lengths: Any = None, mask: Any = None) -> Tensor:
        """Return the score (B,) of the given rows of tags (T, B)."""
        return self._score(emissions, tags, self._real(emissions, lengths, mask))

    def marginals(self, emissions: Tensor, lengths: Any = None, mask: Any = None) -> Tensor:
        """Return P(tag k at step t | emissions) (T, B, K): the gradient of log Z, 0 on padding."""
        return self._pulled(emissions, self._real(emissions, lengths, mask), best=False)

    def decode(self, emissions: Tensor, lengths: Any = None, mask: Any = None) -> list[list[int]]:
        """Return the most probable rows of tags, one list per sequence, each as long as it is."""
        real = self._real(emissions, lengths, mask)
        path = to_numpy(self._pulled(emissions, real, best=True)).argmax(-1)
        return [path[real[:, k], k].tolist() for k in range(path.shape[1])]

    def _pulled(self, emissions: Tensor, real: np.ndarray, best: bool) -> Tensor:
        """Return ∂ Σ_b log Z_b / ∂ emissions, or that of the best scores."""
        x = emissions.detach().requires_grad_()
        with enable_grad():
            return grad(self._total(x, real, best).sum(), x)[0]

    def _total(self, x: Tensor, real: np.ndarray, best: bool = False) -> Tensor:
        """Return the sum (in logarithms) or the maximum of the scores of all rows of tags, (B,)."""
        first = self.start + x[0]
        lengths = real.sum(0) - 1
        ragged = None if (lengths == len(x) - 1).all() else lengths
        layer: Any = self._layers[best]
        last = layer(x[1:], first.unsqueeze(0), lengths=ragged)[1][0] if len(x) > 1 else first
        last = last + self.end
        return last.amax(-1) if best else last.logsumexp(-1)

    def _score(self, x: Tensor, tags: Any, real: np.ndarray) -> Tensor:
        at = to_numpy(tags)
        if at.dtype.kind not in "iu" or at.shape != tuple(x.shape[:2]):
            wanted = f"whole numbers of shape (T, B) = {tuple(x.shape[:2])}"
            raise ValueError(f"CRF: tags must be {wanted}, got {at.dtype} of shape {at.shape}")
        if (wrong := at[real & ((at < 0) | (at >= self.tags))]).size:
            raise IndexError(f"CRF: tag {wrong[0]} is out of range for {self.tags} tags")
        at = np.where(real, at, 0)
        where_real = tensor(x.xp.asarray(real), x.dtype, x.device)
        index = tensor(x.xp.asarray(at), device=x.device)
        emitted = (gather(x, 2, index.unsqueeze(2)).squeeze(2) * where_real).sum(0)
        moved = (self.transitions[index[:-1], index[1:]] * where_real[1:]).sum(0)
        ends = at[real.sum(0) - 1, np.arange(at.shape[1])]
        return self.start[index[0]] + emitted + moved + self.end[x.xp.asarray(ends)]

    def _real(self, x: Tensor, lengths: Any, mask: Any) -> np.ndarray:
        check_dtype(self, x, self.start, what="emissions")
        if x.ndim != 3 or x.shape[2] != self.tags or not len(x):
            raise ValueError(f"CRF: emissions must be (T, B, {self.tags}), got {x.shape}")
        real = time_mask(x.shape[:2], lengths, mask, False)
        real = np.ones(x.shape[:2], bool) if real is None else real
        if not real[0].all() or (real[1:] > real[:-1]).any():
            raise ValueError("CRF: each sequence needs a first step, and no gap before its last")
        return real
