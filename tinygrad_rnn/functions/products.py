"""Multiply vectors, matrices and more by one matrix product or `einsum`; `later` loads it."""

from __future__ import annotations

import math
from builtins import abs as magnitude
from typing import Any

import numpy as np

from ..engine import ops
from ..engine.arguments import check_arguments
from ..engine.tensor import Tensor
from .later import attach
from .shapes import axis_of


def mm(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of two matrices, nothing else.

    >>> t.mm(t.ones(2, 3), t.ones(3, 4)).shape
    (2, 4)
    """
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"mm: expects two matrices, got shapes {a.shape} and {b.shape}")
    return a @ b


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """Return batched products of matrices of one batch size.

    >>> t.bmm(t.ones(5, 2, 3), t.ones(5, 3, 4)).shape
    (5, 2, 4)
    """
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0]:
        raise ValueError(f"bmm: expects (B, n, m) and (B, m, p), got {a.shape} and {b.shape}")
    return a @ b


def mv(a: Tensor, v: Tensor) -> Tensor:
    """Multiply a matrix with a vector.

    >>> t.mv(t.ones(2, 3), t.ones(3))
    tensor([3., 3.])
    """
    if a.ndim != 2 or v.ndim != 1:
        raise ValueError(f"mv: expects a matrix and a vector, got {a.shape} and {v.shape}")
    return a @ v


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two vectors and sum.

    >>> t.dot(t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"dot: expects two vectors, got shapes {a.shape} and {b.shape}")
    return a @ b


def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """Return β c + α a @ b"""
    product = mm(a, b) if alpha == 1 else alpha * mm(a, b)
    return (c if beta == 1 else beta * c) + product


def outer(a: Tensor, b: Tensor) -> Tensor:
    """Multiply each entry of one vector with each of another.

    >>> t.outer(t.ones(2), t.ones(3)).shape
    (2, 3)
    """
    return a.reshape(-1, 1) * b.reshape(1, -1)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Return Σ over the last axes of both.

    >>> t.inner(t.ones(2, 5), t.ones(3, 5)).shape
    (2, 3)
    """
    return a * b if not (a.ndim and b.ndim) else tensordot(a, b, ([-1], [-1]))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Contract the last axes of `a` with the first of `b` (a number), or the axes named.

    >>> t.tensordot(t.ones(2, 3, 4), t.ones(3, 4, 5)).shape
    (2, 5)
    """
    if isinstance(dims, int):
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    left, right = ([axis_of(t, i) for i in axes] for t, axes in zip((a, b), dims, strict=True))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(
            f"tensordot: axes {left} of {a.shape} and {right} of {b.shape} differ in size"
        )
    keep_a = [i for i in range(a.ndim) if i not in left]
    keep_b = [i for i in range(b.ndim) if i not in right]
    inside = math.prod(a.shape[i] for i in left)
    shape_a, shape_b = [a.shape[i] for i in keep_a], [b.shape[i] for i in keep_b]
    flat_a = a.permute(*keep_a, *left).reshape(math.prod(shape_a), inside)
    flat_b = b.permute(*right, *keep_b).reshape(inside, math.prod(shape_b))
    return (flat_a @ flat_b).reshape(*shape_a, *shape_b)


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Return Einstein's summation, with ellipses and repeated letters: `einsum("bi,io->bo", x, w)`.

    >>> t.einsum("bi,io->bo", t.ones(2, 3), t.ones(3, 4)).shape
    (2, 4)
    """
    names, operands = _spelled_out(subscripts.replace(" ", ""), operands)
    single = [_without_repeats(t, n) for t, n in zip(operands, names[:-1], strict=True)]
    terms = ",".join(n for _, n in single)
    return ops.einsum(*[t for t, _ in single], subscripts=f"{terms}->{names[-1]}")


def _spelled_out(subscripts: str, operands: tuple) -> tuple[list[str], tuple]:
    """Return every operand's letters and the result's, with ellipses replaced by letters of their
    own."""
    left, arrow, out = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(
            f"einsum: {len(terms)} terms in {subscripts!r} for {len(operands)} operands"
        )
    spare = [c for c in map(chr, range(65, 123)) if c.isalpha() and c not in subscripts]
    widths = [t.ndim - len(n.replace("...", "")) for t, n in zip(operands, terms, strict=True)]
    widest = "".join(spare[: magnitude(np.max(widths))]) if "..." in left else ""
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        out = ("..." if widest else "") + "".join(
            sorted(c for c in set(letters) if letters.count(c) == 1)
        )
    names = [
        n.replace("...", widest[len(widest) - w :]) for n, w in zip(terms, widths, strict=True)
    ]
    for t, n in zip(operands, names, strict=True):
        if t.ndim != len(n):
            raise ValueError(f"einsum: {n!r} in {subscripts!r} does not name the axes of {t.shape}")
    return [*names, out.replace("...", widest)], _same_sizes(operands, names, widest)


def _same_sizes(operands: tuple, names: list[str], widest: str) -> tuple:
    """Broadcast ellipsis axes of size 1 to the others' size."""
    sizes: dict[str, int] = {}
    for t, n in zip(operands, names, strict=True):
        for c, size in zip(n, t.shape, strict=True):
            if c in widest:
                sizes[c] = size if sizes.get(c, 1) == 1 else sizes[c]
    return tuple(
        t.expand(*[sizes[c] if c in widest else -1 for c in n]) if n else t
        for t, n in zip(operands, names, strict=True)
    )


def _without_repeats(x: Tensor, letters: str) -> tuple[Tensor, str]:
    """Take diagonals until no letter names two axes of `x`."""
    for c in letters:
        while letters.count(c) > 1:
            first, second = letters.index(c), letters.rindex(c)
            if x.shape[first] != x.shape[second]:
                raise ValueError(f"einsum: {c!r} names axes of different sizes in shape {x.shape}")
            x = x.diagonal(0, first, second)
            letters = letters[:first] + letters[first + 1 : second] + letters[second + 1 :] + c
    return x, letters


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1
          ) -> Tensor:  # fmt: skip
    """Return β input + α mat @ vec."""
    return _added(input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1
         ) -> Tensor:  # fmt: skip
    """Return β input + α v₁ v₂ᵀ of two vectors."""
    return _added(input, outer(vec1, vec2), beta, alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
           ) -> Tensor:  # fmt: skip
    """Return β input + α Σ aᵢ @ bᵢ over the matrices of two batches."""
    return _added(input, bmm(batch1, batch2).sum(0), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1,
            alpha: float = 1) -> Tensor:  # fmt: skip
    """Return beta · input + alpha · (batch1 @ batch2), products of many matrices at once.

    >>> import tinygrad_rnn as t
    >>> t.baddbmm(t.ones(3), t.ones(5, 2, 4), t.ones(5, 4, 3)).shape
    (5, 2, 3)
    """
    product = bmm(batch1, batch2)
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (input if beta == 1 else input * beta)


def _added(c: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    product = product if alpha == 1 else alpha * product
    return product if beta == 0 else (c if beta == 1 else beta * c) + product


def vdot(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of two vectors."""
    return dot(a, b)


def vecdot(a: Tensor, b: Tensor, *, dim: int = -1) -> Tensor:
    """Return Σ a ∘ b along an axis."""
    return (a * b).sum(dim)


def kron(a: Tensor, b: Tensor) -> Tensor:
    """Return Kronecker's product: each entry of `a` times all of `b`.

    >>> t.kron(t.eye(2), t.ones(1, 2)).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    n = np.maximum(a.ndim, b.ndim).item()
    left, right = ((1,) * (n - x.ndim) + x.shape for x in (a, b))
    shapes = [[s for pair in zip(left, (1,) * n) for s in pair],
              [s for pair in zip((1,) * n, right) for s in pair]]  # fmt: skip
    both = a.reshape(*shapes[0]) * b.reshape(*shapes[1]) if n else a * b
    return both.reshape(tuple(x * y for x, y in zip(left, right)))


def cross(a: Tensor, b: Tensor, dim: int | None = None) -> Tensor:
    """Return the vector product along an axis of size 3 (the last, or the first such).

    >>> t.cross(t.tensor([1.0, 0.0, 0.0]), t.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if dim is None:
        sizes = np.broadcast_shapes(a.shape, b.shape)
        dim = sizes.index(3) - len(sizes) if 3 in sizes else -1
    if a.shape[dim] != 3 or b.shape[dim] != 3:
        raise ValueError(f"cross: axis {dim} must have 3 entries, got {a.shape} and {b.shape}")
    turned = [(x.roll(-1, dim), x.roll(1, dim)) for x in (a, b)]
    return turned[0][0] * turned[1][1] - turned[0][1] * turned[1][0]


def matrix_power(a: Tensor, n: int) -> Tensor:
    """Return a square matrix multiplied n times with itself, by squaring."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"matrix_power: expected square matrices, got shape {a.shape}")
    if n < 0:
        raise ValueError(f"matrix_power: n={n} needs an inverse; use numpy.linalg on x.numpy()")
    y: Any = None
    while n:
        y = (a if y is None else y @ a) if n % 2 else y
        a, n = (a @ a if n > 1 else a), n // 2
    one = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    return a * 0 + ops.astype(one, dtype=a.dtype) if y is None else y


def multi_dot(tensors: Any) -> Tensor:
    """Return the product of several matrices; the first and last may be vectors."""
    first, *others = tensors
    for x in others:
        first = first @ x
    return first


def chain_matmul(*matrices: Tensor) -> Tensor:
    """Return the product of several matrices."""
    return multi_dot(matrices)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
             ) -> Tensor:  # fmt: skip
    """Return x₁ᵀ Wₖ x₂ for each of the matrices of W (O, I, J)."""
    y = einsum("...i,kij,...j->...k", input1, weight, input2)
    return y if bias is None else y + bias


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """Return the p-norm of each row of one matrix minus each of another.

    `compute_mode` is PyTorch's: there is one way here, the exact one.
    """
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)


def pdist(a: Tensor, p: float = 2.0) -> Tensor:
    """Return the distances of all pairs of rows."""
    rows, columns = np.triu_indices(a.shape[0], 1)
    return (a[rows] - a[columns]).norm(p, -1)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Tensor:  # fmt: skip
    """Return the p-norm of x₁ − x₂ + eps along the last axis."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


ger = outer
check_arguments(globals())
attach(globals())
