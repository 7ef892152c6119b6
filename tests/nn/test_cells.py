"""One step of every cell and dialect against its formula in plain NumPy, and its options."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from tinygrad_rnn import nn, relu, scope, tensor, trace
from tinygrad_rnn.analysis.derivatives import jacobian

I, H, B = 3, 4, 2


def sigma(z):
    return 1 / (1 + np.exp(-z))


def arrays(cell):
    """Every parameter by name, and (W, U, b_ih, b_hh) of every gate."""
    names = {name: t.detach().numpy() for name, t in cell.named_tensors()}
    gates = {}
    for k, gate in enumerate(cell.gate_names):
        rows = slice(k * H, (k + 1) * H)
        none = np.zeros(len(cell.gate_names) * H)
        b = [names.get(f"bias_{part}", none)[rows] for part in ("ih", "hh")]
        gates[gate] = names["weight_ih"][rows], names["weight_hh"][rows], *b
    return names, gates


def rnn(cell, x, h):
    W, U, b, d = arrays(cell)[1]["h"]
    return (np.tanh(x @ W.T + h @ U.T + b + d),)


def gru(cell, x, h):
    g = arrays(cell)[1]
    pre = lambda k: x @ g[k][0].T + g[k][2] + h @ g[k][1].T + g[k][3]
    r, z = sigma(pre("r")), sigma(pre("z"))
    W, U, b, d = g["n"]
    inside = r * (h @ U.T + d) if cell.reset == "after" else (r * h) @ U.T + d
    n = np.tanh(x @ W.T + b + inside)
    keep = z if cell.update == "keeps" else 1 - z
    return (keep * h + (1 - keep) * n,)


def mgu(cell, x, h):
    g = arrays(cell)[1]
    f = sigma(x @ g["f"][0].T + h @ g["f"][1].T + g["f"][2] + g["f"][3])
    n = np.tanh(x @ g["n"][0].T + (f * h) @ g["n"][1].T + g["n"][2] + g["n"][3])
    return ((1 - f) * h + f * n,)


def lstm(cell, x, h, c):
    names, g = arrays(cell)

    def gate(k, c, a=h):
        W, U, b, d = g[k]
        z = x @ W.T + a @ U.T + b + d
        if cell.peephole == "diagonal" and k != "g" and k != "r":
            z = z + names[f"weight_c{k}"] * c
        if cell.peephole == "full" and k != "g" and k != "r":
            z = z + c @ names[f"weight_c{k}"].T
        return np.tanh(z) if k == "g" else sigma(z)

    f = gate("f", c)
    i = 1 - f if cell.coupled else gate("i", c)
    new = f * c + i * gate("g", c, gate("r", c) * h if cell.relevance else h)
    squash = np.tanh if cell.output_activation(tensor(1.0)).item() < 1 else lambda v: v
    h = gate("o", new) * squash(new)
    return (h @ names["weight_hr"].T if cell.proj_size else h), new


DIALECTS = {
    "rnn": (nn.RNNCell, {}, rnn),
    "rnn no bias": (nn.RNNCell, {"bias": False}, rnn),
    "gru": (nn.GRUCell, {}, gru),
    "gru single bias": (nn.GRUCell, {"bias": "single"}, gru),
    "gru before, keeps": (nn.GRUCell, {"reset": "before"}, gru),
    "gru before, writes": (nn.GRUCell, {"reset": "before", "update": "writes"}, gru),
    "gru after, writes": (nn.GRUCell, {"update": "writes"}, gru),
    "mgu": (nn.MGUCell, {}, mgu),
    "lstm": (nn.LSTMCell, {}, lstm),
    "lstm B": (nn.LSTMCell, {"output_activation": None}, lstm),
    "lstm C": (nn.LSTMCell, {"output_activation": None, "relevance": True}, lstm),
    "lstm diagonal peephole": (nn.LSTMCell, {"peephole": "diagonal"}, lstm),
    "lstm full peephole": (nn.LSTMCell, {"peephole": "full"}, lstm),
    "lstm coupled": (nn.LSTMCell, {"coupled": True}, lstm),
    "lstm coupled peephole": (nn.LSTMCell, {"coupled": True, "peephole": "diagonal"}, lstm),
    "lstm projection": (nn.LSTMCell, {"proj_size": 3, "bias": "single"}, lstm),
    "lstm all": (nn.LSTMCell, {"peephole": "full", "relevance": True, "coupled": True}, lstm),
    "lstm full projection": (nn.LSTMCell, {"peephole": "full", "proj_size": 2}, lstm),
}


def made(name, **more):
    kind, options, formula = DIALECTS[name]
    return kind(I, H, dtype=np.float64, seed=7, **options, **more), formula


def state_of(cell, rng):
    parts = [rng.normal(size=p.shape) for p in flat(cell.start(B, tensor(np.zeros(1))))]
    return parts, tuple(tensor(p) for p in parts) if len(parts) > 1 else tensor(parts[0])


def flat(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("name", DIALECTS)
def test_step_is_its_formula(name):
    cell, formula = made(name)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, I))
    parts, state = state_of(cell, rng)
    output, new = cell.step(tensor(x), state)
    for got, want in zip(flat(new), formula(cell, x, *parts), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), want, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(output.detach().numpy(), flat(new)[0].detach().numpy())


@pytest.mark.parametrize("name", DIALECTS)
def test_gradients_of_a_step_are_right(name):
    cell, _ = made(name)
    rng = np.random.default_rng(1)
    x, (parts, _) = rng.normal(size=(B, I)), state_of(cell, rng)
    tensors = [t for _, t in cell.named_tensors()]
    weights = [rng.normal(size=p.shape) for p in parts]

    def loss(x, *parts):
        new = cell.step(x, parts if len(parts) > 1 else parts[0])[1]
        return sum((s * tensor(w)).sum() for s, w in zip(flat(new), weights, strict=True))

    values = [tensor(v, requires_grad=True) for v in (x, *parts)]
    loss(*values).backward()
    for t in (*values, *tensors):
        d = rng.normal(size=t.shape)
        original, found = t._array, []
        for step in (1e-6, -1e-6):
            t.data = original + step * d
            found.append(loss(*values).item())
        t.data = original
        numeric = (found[0] - found[1]) / 2e-6
        np.testing.assert_allclose((t.grad.numpy() * d).sum(), numeric, rtol=1e-6, atol=1e-8)


FORMED = [
    (nn.RNNCell, {}, "a"),
    (nn.LSTMCell, {}, "ufco"),
    (nn.LSTMCell, {"peephole": "diagonal"}, "ufco"),
    (nn.LSTMCell, {"peephole": "full", "coupled": True}, "fco"),
    (nn.LSTMCell, {"relevance": True, "output_activation": None}, "uforc"),
    (nn.LSTMCell, {"proj_size": 2}, "ufco"),
    (nn.GRUCell, {"reset": "before", "update": "writes"}, "ruc"),
    (nn.MGUCell, {}, "fc"),
]


@pytest.mark.parametrize("form", ["stacked", "per_gate"])
@pytest.mark.parametrize(("kind", "options", "letters"), FORMED)
def test_every_form_has_the_same_numbers_and_gradients(kind, options, letters, form):
    apart = kind(I, H, "single", dtype=np.float64, seed=3, **options)
    joint = kind(I, H, "single", form=form, dtype=np.float64, seed=4, **options)
    for gate in apart.gate_names:
        for part in ("weight_ih", "weight_hh", "bias_ih"):
            setattr(joint.gate(gate), part, getattr(apart.gate(gate), part))
    others = [n for n, _ in apart.named_tensors() if n.startswith(("weight_c", "weight_hr"))]
    named = {n: n for n in others}
    if form == "per_gate":
        named |= {n: f"V_{joint.letter(n[-1])}" for n in others if n != "weight_hr"}
    for name in others:
        getattr(joint, named[name]).data = getattr(apart, name).data
    x = np.random.default_rng(0).normal(size=(B, I))
    for cell in (apart, joint):
        state = cell(tensor(x), cell(tensor(x)))
        sum((s * s).sum() for s in flat(state)).backward()
    if form == "per_gate":
        parts = [getattr(joint, f"W_{k}").grad.numpy() for k in letters]
        bias = np.concatenate([getattr(joint, f"b_{k}").grad.numpy() for k in letters])
        whole = np.concatenate(parts)
    else:
        whole, bias = joint.weight.grad.numpy(), joint.bias.grad.numpy()
    width = apart.output_size
    np.testing.assert_allclose(whole[:, :width], apart.weight_hh.grad.numpy(), atol=1e-14)
    np.testing.assert_allclose(whole[:, width:], apart.weight_ih.grad.numpy(), atol=1e-14)
    np.testing.assert_allclose(bias, apart.bias_ih.grad.numpy(), atol=1e-14)
    for name in others:
        got = getattr(joint, named[name]).grad.numpy()
        np.testing.assert_allclose(got, getattr(apart, name).grad.numpy(), atol=1e-14)


@pytest.mark.parametrize(("kind", "options", "letters"), FORMED)
def test_a_matrix_for_each_gate_has_the_letter_of_the_equations(kind, options, letters):
    cell = kind(I, H, form="per_gate", seed=0, **options)
    names = [n for n in cell.state_dict() if n[0] in "Wb"]
    assert names == [f"{part}_{k}" for k in letters for part in "Wb"]
    assert all(getattr(cell, f"W_{k}").shape == (H, cell.output_size + I) for k in letters)
    twin = kind(I, H, form="per_gate", bias=False, seed=0, **options)
    assert not [n for n in twin.state_dict() if n.startswith("b")]


def test_a_drawing_finds_each_gates_matrix_inside_its_gate():
    cell = nn.LSTMCell(I, H, form="per_gate", peephole="full", seed=0)
    with trace() as nodes:
        cell(tensor(np.zeros((B, I), np.float32)))
    products = [n.labels.get("gate") for n in nodes if n.op is not None and n.op.name == "matmul"]
    assert sorted(products, key=str) == sorted(
        [*("update", "forget", "candidate", "output"), *("update", "forget", "output")]
    )
    assert any(n.name == "[h,x]" for n in nodes)


@pytest.mark.parametrize("form", ["stacked", "per_gate"])
def test_a_matrix_on_both_takes_no_index(form):
    with pytest.raises(TypeError, match='an index input needs form="separate"'):
        nn.LSTMCell(I, H, form=form, seed=0)(tensor(np.array([1])))


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell, nn.MGUCell])
def test_an_index_is_a_one_hot_vector(kind):
    cell = kind(I, H, dtype=np.float64, seed=0)
    index = np.array([2, 0, 2])
    gradients = []
    for x in (tensor(index), tensor(np.eye(I)[index])):
        cell.zero_grad()
        sum((s * s).sum() for s in flat(cell(x))).backward()
        gradients.append({n: p.grad.numpy() for n, p in cell.named_parameters()})
    for name, g in gradients[0].items():
        np.testing.assert_allclose(g, gradients[1][name], atol=1e-15)


def test_no_one_hot_is_made_for_an_index():
    cell = nn.RNNCell(10_000, H, seed=0)
    with trace() as nodes:
        cell(tensor(np.array([1, 9_999])))
    made = [n for n in nodes if n.op is not None]
    assert max(np.prod(n.shape) for n in made) <= H * H


@pytest.mark.parametrize("bad", [[3], [-1]])
def test_an_index_out_of_range_raises(bad):
    with pytest.raises(IndexError, match=f"index {bad[0]} is out of range for input_size=3"):
        nn.GRUCell(I, H, seed=0)(tensor(np.array(bad)))


def test_a_wrong_width_raises_in_torch_words():
    with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal.*Expected 3, got 5"):
        nn.LSTMCell(I, H, seed=0)(tensor(np.zeros((B, 5), np.float32)))


def test_a_state_of_another_batch_does_not_broadcast():
    with pytest.raises(
        RuntimeError,
        match=r"the state's c has shape \(1, 4\), expected .* \(2, 4\)",
    ):
        x, h = (tensor(np.zeros((B, n))) for n in (I, H))
        nn.LSTMCell(I, H, dtype=np.float64, seed=0)(x, (h, h[:1]))


def test_a_cell_takes_one_unbatched_input():
    cell = nn.LSTMCell(I, H, dtype=np.float64, seed=0)
    x = np.random.default_rng(0).normal(size=I)
    h, c = cell(tensor(x), cell(tensor(x)))
    batch = cell(tensor(x[None]), cell(tensor(x[None])))
    assert h.shape == c.shape == (H,)
    np.testing.assert_allclose(h.detach().numpy(), batch[0].detach().numpy()[0], atol=1e-15)


def test_gates_are_labelled_for_drawings():
    cell = nn.LSTMCell(I, H, relevance=True, seed=0)
    with trace() as nodes, scope("outer"):
        cell(tensor(np.zeros((B, I), np.float32)))
    labels = {n.labels.get("gate") for n in nodes} - {None}
    assert labels == {"forget", "update", "candidate", "output", "reset"}
    assert any(n.path == ("outer", "f") for n in nodes)


# Options
def test_any_nonlinearity():
    x = tensor(np.random.default_rng(0).normal(size=(B, I)), dtype=np.float32)
    by_name = nn.RNNCell(I, H, nonlinearity="relu", seed=0)
    by_function = nn.RNNCell(I, H, nonlinearity=lambda z: relu(z) * 2, seed=0)
    np.testing.assert_allclose(by_function(x).tolist(), (by_name(x) * 2).tolist())
    with pytest.raises(ValueError, match=r"one of elu,.* got 'tahn'; did you mean 'tanh'"):
        nn.RNNCell(I, H, nonlinearity="tahn")


def test_leak_mixes_old_and_new():
    h, x = np.full((B, H), 0.5), np.ones((B, I))
    plain, leaky = (nn.RNNCell(I, H, leak=a, dtype=np.float64, seed=0) for a in (1.0, 0.3))
    want = 0.7 * h + 0.3 * plain(tensor(x), tensor(h)).detach().numpy()
    np.testing.assert_allclose(leaky(tensor(x), tensor(h)).detach().numpy(), want, atol=1e-15)


def test_a_gate_is_a_view_of_its_rows():
    cell = nn.LSTMCell(I, H, dtype=np.float64, seed=0)
    f = cell.gate("f").weight_hh
    assert np.shares_memory(f._array, cell.weight_hh._array)
    np.testing.assert_array_equal(f.detach().numpy(), cell.weight_hh.detach().numpy()[H : 2 * H])
    with pytest.raises(KeyError, match="no gate 'z'; its gates: i, f, g, o"):
        cell.gate("z")


def test_assigning_to_a_gate_changes_its_rows_only():
    cell = nn.GRUCell(I, H, dtype=np.float64, seed=0)
    before = cell.weight_hh.detach().numpy()
    cell.gate("z").weight_hh = np.eye(H)
    after = cell.weight_hh.detach().numpy()
    np.testing.assert_array_equal(after[H : 2 * H], np.eye(H))
    np.testing.assert_array_equal(after[:H], before[:H])
    np.testing.assert_array_equal(after[2 * H :], before[2 * H :])


@pytest.mark.parametrize("bias", ["double", "single"])
@pytest.mark.parametrize("form", ["separate", "stacked", "per_gate"])
def test_forget_bias_is_the_whole_bias(bias, form):
    cell = nn.LSTMCell(I, H, bias, form=form, forget_bias=1.0, seed=0)
    np.testing.assert_array_equal(cell.gate("f").bias.detach().numpy(), np.ones(H))
    assert (cell.gate("i").bias.detach().numpy() != 1).all()


def test_layer_norm_makes_the_products_independent_of_the_scale_of_weights():
    cell = nn.LSTMCell(I, H, bias=False, layer_norm=True, dtype=np.float64, seed=0)
    assert {"norm_ih.weight", "norm_hh.bias", "norm_c.weight"} <= set(cell.state_dict())
    x = tensor(np.random.default_rng(0).normal(size=(B, I)))
    before = cell(x, cell(x))[0].detach().numpy()
    cell.weight_ih.data = cell.weight_ih.data * 1e3
    np.testing.assert_allclose(cell(x, cell(x))[0].detach().numpy(), before, atol=1e-4)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_variational_masks_stay_for_a_sequence_and_vanish_in_evaluation(kind):
    inner = kind(I, H, dtype=np.float64, seed=0)
    cell = nn.VariationalDropout(inner, 0.5, 0.5, seed=0)
    x = tensor(np.random.default_rng(0).normal(size=(B, I)))
    state = cell(x)
    step = lambda: flat(cell(x, state))[0].detach().numpy()
    cell.begin(B, x)
    assert (step() == step()).all()
    cell.end()
    assert (step() != step()).any()
    cell.eval()
    twin = kind(I, H, dtype=np.float64, seed=1)
    twin.load_state_dict(cell.state_dict())
    np.testing.assert_array_equal(step(), flat(twin(x, state))[0].detach().numpy())


def test_variational_dropout_says_what_it_cannot_drop():
    class Sum(nn.Cell):
        def step(self, x, h):
            return h + x.sum(-1, keepdims=True), h

    with pytest.raises(TypeError, match="Sum is no Gated cell"):
        nn.VariationalDropout(Sum(I, H), recurrent=0.5)
    with pytest.raises(TypeError, match="VariationalDropout wraps a cell, got int"):
        nn.VariationalDropout(3)
    with pytest.raises(TypeError, match="whole numbers have no units to drop"):
        nn.VariationalDropout(nn.GRUCell(I, H, seed=0), 0.5)(tensor(np.array([1])))
    dropped = nn.VariationalDropout(Sum(I, H), 1.0)(tensor(np.ones((B, I))))
    assert not dropped.numpy().any()


def test_evaluation_draws_nothing():
    layer = nn.LSTM(I, H, input_dropout=0.5, recurrent_dropout=0.5, zoneout=0.1, seed=0).eval()
    before = layer.generator.state
    layer(tensor(np.zeros((2, B, I), np.float32)))
    assert layer.generator.state == before


def test_candidate_dropout_lets_the_cell_keep_its_memory():
    cell = nn.LSTMCell(I, H, candidate_dropout=1.0, dtype=np.float64, seed=0)
    x, c = np.ones((B, I)), np.ones((B, H))
    _, got = cell(tensor(x), (tensor(c * 0), tensor(c)))
    W, _, b, d = arrays(cell)[1]["f"]
    np.testing.assert_allclose(got.detach().numpy(), sigma(x @ W.T + b + d), atol=1e-15)


@pytest.mark.parametrize("kind", [nn.GRUCell, nn.MGUCell])
def test_a_dropped_candidate_leaves_what_the_gate_keeps(kind):
    cell = kind(I, H, candidate_dropout=1.0, dtype=np.float64, seed=0)
    x, h = np.random.default_rng(0).normal(size=(2, B, H))
    got = cell(tensor(x[:, :I]), tensor(h)).detach().numpy()
    g = arrays(cell)[1]["z" if kind is nn.GRUCell else "f"]
    gate = sigma(x[:, :I] @ g[0].T + h @ g[1].T + g[2] + g[3])
    np.testing.assert_allclose(got, (gate if kind is nn.GRUCell else 1 - gate) * h, atol=1e-15)


def test_zoneout_keeps_old_values_at_its_rate_and_their_mean_in_evaluation():
    inner = nn.LSTMCell(I, 500, dtype=np.float64, seed=0)
    cell = nn.Zoneout(inner, (0.3, 0.0), seed=0)
    x = tensor(np.random.default_rng(0).normal(size=(B, I)))
    state = inner(x)
    old, new = state[0].detach().numpy(), inner(x, state)[0].detach().numpy()
    got, c = (s.detach().numpy() for s in cell(x, state))
    stayed = got == old
    assert (stayed | (got == new)).all() and 0.24 < stayed.mean() < 0.36
    np.testing.assert_array_equal(c, inner(x, state)[1].detach().numpy())
    got = cell.eval()(x, state)[0].detach().numpy()
    np.testing.assert_allclose(got, 0.3 * old + 0.7 * new, atol=1e-15)
    assert list(cell.state_dict()) == list(inner.state_dict())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.GRUCell(I, H, reset="during"), "reset must be one of 'after', 'before'"),
        (lambda: nn.GRUCell(I, H, update="z"), "update must be one of 'keeps', 'writes', got 'z'"),
        (lambda: nn.GRUCell(I, H, form="stacked"), 'needs reset="before"'),
        (lambda: nn.LSTMCell(I, H, peephole=True), "peephole must be one of None, 'diagonal'"),
        (
            lambda: nn.LSTMCell(I, H, proj_size=H),
            "proj_size must be a whole number of at least 0 and at most 3, got 4",
        ),
        (
            lambda: nn.LSTMCell(I, H, bias="triple"),
            "bias must be one of .* got 'triple'",
        ),
        (lambda: nn.MGUCell(I, H, layer_norm=True), "MGUCell has no layer_norm"),
        (lambda: nn.GRUCell(I, H, reset="before", layer_norm=True), "layer_norm needs reset"),
        (lambda: nn.LSTMCell(I, H, relevance=True, proj_size=2), "relevance does not go with"),
        (
            lambda: nn.RNNCell(I, H, candidate_dropout=0.1),
            "RNNCell.* has no argument 'candidate_dropout'",
        ),
        (lambda: nn.RNNCell(I, 0), "RNNCell: hidden_size must be .* at least 1, got 0"),
        (
            lambda: nn.RNNCell(I, H, leak=0),
            "leak must be .* above 0 and at most 1, got 0",
        ),
        (lambda: nn.VariationalDropout(nn.RNNCell(I, H), 1.5), "between 0 and 1, got 1.5"),
        (lambda: nn.LSTMCell(I, H, bias=False, forget_bias=1), "made with bias=False"),
        (lambda: nn.Zoneout(nn.GRUCell(I, H), (0.1, 0.1)), "2 zoneout rates for the 1 parts"),
    ],
)
def test_bad_options_say_what_is_good(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_cells_run_on_every_array_library(library):
    options = {"device": library.device, "dtype": np.float64, "seed": 0}
    x = np.random.default_rng(0).normal(size=(B, I))
    for name in DIALECTS:
        kind, dialect, _ = DIALECTS[name]
        here, there = kind(I, H, **dialect, **options), made(name)[0]
        here.load_state_dict(there.state_dict())
        got = flat(here(library.tensor(x), here(library.tensor(x))))
        want = flat(there(tensor(x), there(tensor(x))))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(library.numpy(a), b.detach().numpy(), atol=1e-13)


def test_the_jacobian_of_a_forget_gate_held_open_is_the_identity():
    cell = nn.LSTMCell(
        I, H, dtype=np.float64, seed=0, init={"hh": 0, "f.bias": 100, "i.bias": -100}
    )
    x, h = tensor(np.zeros((1, I))), tensor(np.zeros((1, H)))
    j = jacobian(lambda c: cell.step(x, (h, c))[1][1], tensor(np.ones((1, H))))
    np.testing.assert_allclose(j.numpy().reshape(H, H), np.eye(H), atol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.GRUCell, nn.MGUCell, nn.LSTMCell])
def test_a_step_fits_in_fifteen_lines(kind):
    assert len(inspect.getsource(kind.step).splitlines()) <= 15
