"""Every option of every public class refuses what it cannot be, in a sentence that names both.

The options are those of the signatures, so a new one is tested from the day it is written: with its
name misspelt, and with an object that fits nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinygrad_rnn import nn, optim, tensor, zeros

OPTIMIZER = optim.SGD([tensor([1.0], requires_grad=True)], lr=0.1, momentum=0.9)

# What a class needs to be called at all
RECIPES: dict[str, dict[str, Any]] = {
    "RNN LSTM GRU MGU RNNCell LSTMCell GRUCell MGUCell": {"input_size": 3, "hidden_size": 4},
    "Recurrent": {"cell": nn.GRUCell, "input_size": 3, "hidden_size": 4},
    "Linear": {"in_features": 3, "out_features": 4},
    "Embedding": {"num_embeddings": 3, "embedding_dim": 4},
    "Dropout Sequential": {},
    "LayerNorm": {"normalized_shape": 3},
    "Conv1d Conv2d": {"in_channels": 3, "out_channels": 4, "kernel_size": 2},
    "Readout": {"layer": nn.GRU(3, 4), "out_features": 2},
    "EchoState": {"input_size": 3, "hidden_size": 40, "output_size": 2},
    "Zoneout": {"cell": nn.GRUCell(3, 4), "p": 0.1},
    "VariationalDropout": {"cell": nn.GRUCell(3, 4), "recurrent": 0.1},
    "WeightDrop": {"cell": nn.GRUCell(3, 4), "p": 0.1},
    "Cell Gated": {"input_size": 3, "hidden_size": 4},
    "AdditiveAttention": {"query_size": 3, "value_size": 4, "hidden_size": 5},
    "MaxPool1d MaxPool2d AvgPool1d AvgPool2d": {"kernel_size": 2},
    "BatchNorm1d": {"num_features": 3},
    "DotAttention": {"value_size": 4},
    "GeneralAttention": {"query_size": 3, "value_size": 4},
    "AttentionCell": {"cell": nn.GRUCell(7, 4), "attention": nn.DotAttention(4)},
    "Seq2Seq": {"source": 5, "target": 6, "hidden_size": 4},
    "LanguageModel": {"vocabulary": 5, "hidden_size": 4},
    "CRF": {"tags": 3},
    "PackedSequence": {"padded": zeros(3, 2, 1), "lengths": np.array([3, 2])},
    "Unflatten": {"dim": 1, "unflattened_size": (2, 3)},
    "Flatten ModuleList ModuleDict CTCLoss": {},
    "BCELoss BCEWithLogitsLoss CrossEntropyLoss HuberLoss KLDivLoss L1Loss MSELoss": {},
    "NLLLoss SmoothL1Loss CosineEmbeddingLoss GaussianNLLLoss HingeEmbeddingLoss": {},
    "MarginRankingLoss MultiLabelSoftMarginLoss MultiMarginLoss PoissonNLLLoss": {},
    "SoftMarginLoss TripletMarginLoss CosineSimilarity PairwiseDistance PReLU": {},
    "AdaptiveAvgPool1d AdaptiveMaxPool1d": {"output_size": 2},
    "CircularPad1d ReflectionPad1d ReplicationPad1d ZeroPad1d": {"padding": 1},
    "ConstantPad1d": {"padding": 1, "value": 0.0},
    "Bilinear": {"in1_features": 2, "in2_features": 3, "out_features": 4},
    "GroupNorm": {"num_groups": 2, "num_channels": 4},
    "RMSNorm": {"normalized_shape": 3},
    "MultiheadAttention": {"embed_dim": 4, "num_heads": 2},
    " ".join(kind.__name__ for kind in nn.Activation.__subclasses__()): {},
    "SGD Adagrad RMSprop Adam AdamW": {"params": [tensor([1.0], requires_grad=True)]},
    "Adadelta Adamax NAdam Rprop ASGD NTASGD": {"params": [tensor([1.0], requires_grad=True)]},
    "LBFGS": {"params": [tensor([1.0], requires_grad=True)]},
    "StepLR": {"step_size": 2},
    "ExponentialLR": {"gamma": 0.5},
    "CosineAnnealingLR": {"T_max": 2},
    "LinearWarmup": {"warmup": 2},
    "LambdaLR": {"lr_lambda": float},
    "ReduceLROnPlateau ConstantLR LinearLR PolynomialLR": {},
    "MultiStepLR": {"milestones": [2, 4]},
    "MultiplicativeLR": {"lr_lambda": float},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 0.2},
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 9},
    "SequentialLR": {
        "schedulers": [optim.StepLR(OPTIMIZER, 2) for _ in range(2)], "milestones": [3],
    },
    "ChainedScheduler": {"schedulers": [optim.StepLR(OPTIMIZER, 2)]},
}  # fmt: skip
NOTHING = object()


def calls() -> Iterator[tuple[type, dict[str, Any]]]:
    for names, given in RECIPES.items():
        for name in names.split():
            kind = getattr(nn, name, None) or getattr(optim, name)
            if "optimizer" in inspect.signature(kind).parameters:
                given = given | {"optimizer": OPTIMIZER}
            yield kind, given


CALLS = list(calls())
OPTIONS = [
    (kind, given, option)
    for kind, given in CALLS
    for option, p in inspect.signature(kind).parameters.items()
    if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
]


OPEN = "Module Attention Activation Loss Identity Gate".split()  # bases; cells make gates


def test_every_public_class_is_called():
    public = [v for m in (nn, optim) for n in m.__all__ if isinstance(v := getattr(m, n), type)]
    missing = {kind.__name__ for kind in public} - {kind.__name__ for kind, _ in CALLS}
    assert missing == {*OPEN, "Optimizer", "Schedule"}


def named(kind: type, option: str) -> str:
    return f"{kind.__name__}, {option}"


@pytest.mark.parametrize(
    ("kind", "given", "option"), OPTIONS, ids=[named(kind, option) for kind, _, option in OPTIONS]
)
def test_an_option_that_cannot_be_is_named_with_its_class(kind, given, option):
    kind(**given)
    with pytest.raises((TypeError, ValueError)) as caught:
        kind(**given | {option: NOTHING})
    told = str(caught.value)
    assert kind.__name__ in told and option in told, told
    assert "object" in told, f"{told} does not say what came"


@pytest.mark.parametrize(
    ("kind", "given", "option"),
    [(kind, given, option) for kind, given, option in OPTIONS if len(option) > 3],
    ids=[named(kind, option) for kind, _, option in OPTIONS if len(option) > 3],
)
def test_a_misspelt_option_is_told_by_the_class_that_was_called(kind, given, option):
    wrong = option[:2] + option[3:]
    with pytest.raises(TypeError) as caught:
        kind(**given, **{wrong: 1})
    told = str(caught.value)
    assert told.startswith(f"{kind.__name__}() has no argument {wrong!r}"), told
    near = told.partition("did you mean ")[2].strip("'?")
    assert near == option or len(near) >= len(option) - 2, told  # weight_ih for weight_hh


@pytest.mark.parametrize(("kind", "given"), CALLS, ids=[kind.__name__ for kind, _ in CALLS])
def test_what_is_missing_or_surplus_is_told_by_the_class_that_was_called(kind, given):
    needed = [p.name for p in inspect.signature(kind).parameters.values() if p.default is p.empty
              and p.kind is p.POSITIONAL_OR_KEYWORD]  # fmt: skip
    if needed:
        with pytest.raises(TypeError, match=rf"^{kind.__name__}\(\) is missing {needed[0]}"):
            kind()
    if kind is not nn.Sequential:
        with pytest.raises(TypeError, match=rf"^{kind.__name__}\(\) takes .* got 40$"):
            kind(*range(40))


VALUES = [
    (lambda: nn.LSTM(3, -1), "LSTM: hidden_size must be a whole number of at least 1, got -1"),
    (lambda: nn.LSTM(True, 4), "LSTM: input_size must be .*, got True"),
    (lambda: nn.GRU(3, 4, dropout=np.nan), "GRU: dropout must be a probability .*, got nan"),
    (lambda: nn.GRU(3, 4, batch_first="no"), "GRU: batch_first must be True or False, got 'no'"),
    (lambda: nn.LSTM(3, 4, zoneout=(0.1, 2.0)), "LSTM: zoneout must be .*, got 2.0"),
    (lambda: nn.LSTM(3, 4, form="seperate"), "LSTMCell: form .*; did you mean 'separate'"),
    (lambda: nn.LSTM(3, 4, dtype="int32"), "dtype must be a floating dtype .*, got 'int32'"),
    (lambda: nn.LSTM(3, 4, device="tpu"), 'device such as "cpu" or "cuda", got \'tpu\''),
    (lambda: nn.LSTM(3, 4).to("tpu"), 'LSTM: to must be a device such as .*, got \'tpu\''),
    (lambda: nn.LSTM(3, 4).to("int32"), "LSTM: to must be .* floating dtype .*, got 'int32'"),
    (lambda: tensor([1.0]).to("tpu"), "to: 'tpu' is neither a device such as"),
    (lambda: nn.LSTM(3, 4, seed=-1), "LSTM: seed must be a whole number of at least 0, got -1"),
    (lambda: nn.LSTM(3, 4, init={"hh": "orthogonl"}), "LSTMCell: init: unknown init.*'orthogonl'"),
    (lambda: nn.GRU(3, 4, reset="befor"), "GRUCell: reset .*; did you mean 'before'"),
    (lambda: nn.Embedding(3, 2, 5), "padding_idx must be .* at least -3 and at most 2, got 5"),
    (lambda: nn.Conv1d(1, 1, (2, 2)), r"kernel_size must be .* or 1 of them, got \(2, 2\)"),
    (lambda: nn.Conv2d(1, 1, 3, 2, "same"), "Conv2d: padding='same' needs stride 1, got stride=2"),
    (lambda: nn.Sequential([nn.Linear(2, 3)]), r"step 0 .*, got a list; write Sequential\(\*steps"),
    (lambda: nn.EchoState(1, 5, 1, sparsity=1.0), "EchoState: sparsity must .* below 1, got"),
    (lambda: optim.SGD(nn.Linear(2, 3)), r"as model.parameters\(\).*; got a Linear"),
    (lambda: optim.SGD(tensor([1.0])), r"as model.parameters\(\).*; got a Tensor"),
    (lambda: optim.SGD([("w", tensor([1.0]))]), "can only optimize Tensors, .* is \\('w'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), VALUES, ids=[m[:40] for _, m in VALUES])
def test_values_out_of_range_say_the_range(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


P, X = tensor([1.0], requires_grad=True), zeros(3, 2, 4)
Q = P * 2
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {  # and arguments that fit
    "clip_grad_norm_": (nn.clip_grad_norm_, ([P], 1.0, 2.0)),
    "clip_grad_value_": (nn.clip_grad_value_, ([P], 1.0)),
    "l1_penalty": (nn.l1_penalty, ([P],)),
    "l2_penalty": (nn.l2_penalty, ([P],)),
    "vanishing_penalty": (nn.vanishing_penalty, ((Q * Q).sum(), [P, Q])),
    "pad_sequence": (nn.pad_sequence, ([X, X[:2]], False, 0.0)),
    "unpad_sequence": (nn.unpad_sequence, (X,)),
    "pack_padded_sequence": (nn.utils.rnn.pack_padded_sequence, (X,)),
    "pad_packed_sequence": (nn.utils.rnn.pad_packed_sequence, (nn.PackedSequence(
        X, np.array([3, 2])),)),
    "unpack_sequence": (nn.utils.rnn.unpack_sequence, (nn.PackedSequence(X, np.array([3, 2])),)),
    "pack_sequence": (nn.utils.rnn.pack_sequence, ([X],)),
    "parameters_to_vector": (nn.utils.parameters_to_vector, ([P],)),
    "vector_to_parameters": (nn.utils.vector_to_parameters, (P, [P])),
    "ctc_greedy": (nn.ctc_greedy, (X,)),
}  # fmt: skip
LENGTHS = {"unpad_sequence": ([3, 2],), "pack_padded_sequence": ([3, 2],)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_names_itself_and_what_does_not_fit(name):
    function, given = FUNCTIONS[name]
    function(*given, *LENGTHS.get(name, ()))
    names = list(inspect.signature(function).parameters)
    by = "pad_sequence" if name == "pack_sequence" else name
    for k in range(len(given)):
        for bad in (NOTHING, "a", [], [NOTHING], ["a"], None):
            with pytest.raises((TypeError, ValueError)) as caught:
                function(*given[:k], bad, *given[k + 1 :], *LENGTHS.get(name, ()))
                if name.startswith("clip") and bad == []:
                    raise TypeError(f"{by}: {names[k]}: there are no parameters to clip")
                pytest.fail(f"{name} takes {bad!r} as {names[k]}")
            assert f"{by}: {names[k]}" in str(caught.value), (bad, str(caught.value))


def test_what_is_padded_has_one_shape_behind_time():
    with pytest.raises(ValueError, match=r"differ behind time: \(3, 2\) and \(3, 1\), number 1"):
        nn.pad_sequence([zeros(3, 2), zeros(3, 1)])
    with pytest.raises(ValueError, match="tbptt: k2 must be a whole number of at least 3, got 2"):
        nn.tbptt(nn.GRUCell(3, 4), [], lambda y, t: None, 3, 2)


def test_an_activation_of_ones_own_takes_its_options_only():
    class Scaled(nn.Activation):
        function = staticmethod(lambda x, by: x * by)
        takes = {"by": 2.0}

    assert Scaled(3.0)(X + 1).sum().item() == 72 and Scaled(by=2)(X + 1).sum().item() == 48
    for call in (lambda: Scaled(b=3.0), lambda: Scaled(1.0, False, 2)):
        with pytest.raises(TypeError, match="Scaled takes by, inplace, got"):
            call()
    with pytest.raises(TypeError, match="ELU: inplace must be True or False, got 3"):
        nn.ELU(1.0, 3)


def test_a_refused_move_leaves_the_layer_as_it_was():
    layer = nn.LSTM(3, 4, seed=0)
    before = {name: value.copy() for name, value in layer.state_dict().items()}
    for bad in ("tpu", "int32", object()):
        with pytest.raises((TypeError, ValueError)):
            layer.to(bad)
    assert all(p.dtype == np.float32 and p.requires_grad for p in layer.parameters())
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_what_did_not_match_is_told_in_the_models_order():
    layer = nn.LSTM(3, 4, num_layers=3)
    wrong = {name: np.zeros(2) for name in reversed(layer.state_dict())}
    with pytest.raises(RuntimeError) as caught:
        layer.load_state_dict(wrong)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split()[3].strip(":") for line in lines] == list(layer.state_dict())


def test_what_others_do_with_options_is_theirs():
    class Mine(nn.GRU):
        def __init__(self, size, **options):
            self.extra = options.pop("extra")
            super().__init__(size, size, **options)

    assert Mine(3, extra=5, seed=0).extra == 5
    with pytest.raises(TypeError, match=r"GRU.* has no argument 'sed'"):
        Mine(3, extra=5, sed=0)
