"""The same networks written with an engine's operators, so that BPTT has to emerge from them.

`lib` is a namespace with torch's names (`tinygrad_rnn` in the tests). Nothing here has a backward
pass, and nothing is shared with the derivations: each cell is its equation once more.
"""

from __future__ import annotations

from typing import Any

from .cases import Case
from .deep import layer_params
from .truncated import windows

LAST = -1


def vanilla(lib: Any, p: dict, x: Any, state: tuple, form: str, g1: str) -> tuple:
    (a,) = state
    if form == "stacked":
        z = lib.cat([a, x], LAST) @ p["W_a"].T + p["b_a"]
    else:
        z = a @ p["W_aa"].T + x @ p["W_ax"].T + p["b_a"]
    return (z.tanh() if g1 == "tanh" else z.relu(),)


def gru(lib: Any, p: dict, x: Any, state: tuple, dialect: str) -> tuple:
    (c,) = state
    if dialect == "notes":
        v = lib.cat([c, x], LAST)
        update = (v @ p["W_u"].T + p["b_u"]).sigmoid()
        reset = (v @ p["W_r"].T + p["b_r"]).sigmoid()
        candidate = (lib.cat([reset * c, x], LAST) @ p["W_c"].T + p["b_c"]).tanh()
        return (update * candidate + (1 - update) * c,)
    r = (x @ p["W_ir"].T + p["b_ir"] + c @ p["W_hr"].T + p["b_hr"]).sigmoid()
    z = (x @ p["W_iz"].T + p["b_iz"] + c @ p["W_hz"].T + p["b_hz"]).sigmoid()
    n = (x @ p["W_in"].T + p["b_in"] + r * (c @ p["W_hn"].T + p["b_hn"])).tanh()
    return ((1 - z) * n + z * c,)


def lstm(lib: Any, p: dict, x: Any, state: tuple, variant: str) -> tuple:
    a, c = state
    v = lib.cat([a, x], LAST)
    update, forget, output = ((v @ p["W_" + k].T + p["b_" + k]).sigmoid() for k in "ufo")
    if variant == "C":
        relevance = (v @ p["W_r"].T + p["b_r"]).sigmoid()
        v = lib.cat([relevance * a, x], LAST)
    c = update * (v @ p["W_c"].T + p["b_c"]).tanh() + forget * c
    return output * (c.tanh() if variant == "A" else c), c


def peephole(lib: Any, p: dict, x: Any, state: tuple, kind: str) -> tuple:
    h, c = state
    u = lib.cat([h, x], LAST)

    def gate(k: str, seen: Any) -> Any:
        if kind == "full":
            return (lib.cat([seen, h, x], LAST) @ p["W_" + k].T + p["b_" + k]).sigmoid()
        return (u @ p["W_" + k].T + p["p_" + k] * seen + p["b_" + k]).sigmoid()

    new = gate("i", c) * (u @ p["W_c"].T + p["b_c"]).tanh() + gate("f", c) * c
    return gate("o", new) * new.tanh(), new


STEPS = {"vanilla": vanilla, "gru": gru, "lstm": lstm, "peephole": peephole}


def step(lib: Any, name: str, p: dict, x: Any, state: tuple) -> tuple:
    family, *options = name.split("-")
    return STEPS[family](lib, p, x, state, *options)


def unroll(lib: Any, name: str, p: dict, xs: list, state: tuple) -> list:
    """The outputs of each step, in the order of `xs`."""
    outputs = []
    for x in xs:
        state = step(lib, name, p, x, state)
        outputs.append(state[0])
    return outputs


def total_loss(lib: Any, case: Case, v: dict, a: Any, y: Any) -> Any:
    """Σ_t L_t behind the output layer."""
    z = a @ v["W_ya"].T + v["b_y"]
    if case.loss == "mse":
        return ((z - y) ** 2 * 0.5).sum() / a.shape[1]
    if case.loss == "bce":
        zero = z.detach() * 0
        return (y * lib.logaddexp(zero, -z) + (1 - y) * lib.logaddexp(zero, z)).sum()
    picked = lib.gather(lib.log_softmax(z, LAST), LAST, y.unsqueeze(LAST)).squeeze(LAST)
    return -picked.sum()


def initial(v: dict, prefix: str = "") -> tuple:
    return tuple(v[prefix + k] for k in ("a0", "c0") if prefix + k in v)


def outputs(lib: Any, case: Case, v: dict) -> Any:
    """a (T, B, H) of a plain, deep or bidirectional network."""
    xs = list(v["x"])
    if case.wrapping == "plain":
        return lib.stack(unroll(lib, case.cells[0], v, xs, initial(v)))
    if case.wrapping == "deep":
        for prefix, name in zip(("1.", "2."), case.cells, strict=True):
            xs = unroll(lib, name, layer_params(v, prefix), xs, initial(v, prefix))
        return lib.stack(xs)
    ahead, back = (layer_params(v, k) for k in ("fwd.", "rev."))
    forward = unroll(lib, case.cells[0], ahead, xs, initial(ahead))
    reverse = unroll(lib, case.cells[1], back, xs[::-1], initial(back))[::-1]
    return lib.cat([lib.stack(forward), lib.stack(reverse)], LAST)


def sequence_by_sequence(lib: Any, case: Case, v: dict, y: Any) -> Any:
    """The loss of a batch of different lengths with no mask: each sequence alone, cut short."""
    total, turn = 0.0, -1 if case.options["reverse"] else 1
    for b, length in enumerate(case.options["lengths"].tolist()):
        if length == 0:
            continue
        xs = [v["x"][t, b : b + 1] for t in range(length)]
        state = tuple(s[b : b + 1] for s in initial(v))
        a = lib.stack(unroll(lib, case.cells[0], v, xs[::turn], state)[::turn])
        total = total + total_loss(lib, case, v, a, y[:length, b : b + 1])
    return total / (y.shape[1] if case.loss == "mse" else 1)


def truncated_backward(lib: Any, case: Case, v: dict, y: Any) -> None:
    """Leaves in `.grad` of every tensor of `v` the truncated gradient, window by window."""
    name, states, xs = case.cells[0], [initial(v)], list(v["x"])
    for x in xs:
        states.append(step(lib, name, v, x, states[-1]))
    for begin, first, end in windows(len(xs), case.options["k1"], case.options["k2"]):
        state = tuple(s.detach() for s in states[begin]) if begin else states[0]
        window = unroll(lib, name, v, list(v["x"][begin:end]), state)
        a = lib.stack(window[first - begin :])
        total_loss(lib, case, v, a, y[first:end]).backward()


def backward(lib: Any, case: Case, v: dict, y: Any) -> None:
    """Leaves the gradient of the case's loss in `.grad` of every tensor of `v`."""
    if case.wrapping == "truncated":
        return truncated_backward(lib, case, v, y)
    if case.wrapping.startswith("masked"):
        loss = sequence_by_sequence(lib, case, v, y)
    else:
        loss = total_loss(lib, case, v, outputs(lib, case, v), y)
    if not isinstance(loss, float):  # a float where every length is 0
        loss.backward()
    return None
