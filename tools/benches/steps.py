"""Suite `steps`: whole training steps of whole models, ours compiled beside torch.

Model, loss, gradients, clipping and the optimiser's step are in the time; contestants take turns in
one process of one thread. `torch` is its nn modules; where it has none, its primitives in a loop.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benches.contestants import installed
from benches.stopwatch import say, take_turns

Steps = dict[str, Callable[[], Any]]
MODELS: dict[str, Callable[[], Steps]] = {}


def model(name: str, *sizes: Any) -> Callable:
    """Enters the decorated `build(*sizes)`, which returns a step per contestant."""

    def enter(build: Callable) -> Callable:
        MODELS[name] = lambda: build(*sizes)
        return build

    return enter


def run(job: dict, report: Callable[[dict], None]) -> None:
    """Times the models named in a job, and reports a row per contestant."""
    for name in job["models"] or MODELS:
        rows = [{"model": name, "contestant": c} for c in ("tinygrad_rnn", "torch")]
        try:
            steps = MODELS[name]()
        except ImportError as error:
            say(f"  {name}: {error}")
            continue
        for step in steps.values():
            step()
            step()
        runs = {row["contestant"]: (steps[row["contestant"]], row) for row in rows
                if row["contestant"] in steps}  # fmt: skip
        take_turns(runs, job["repeats"], job["budget"], 0.0, 0.01)
        for _, row in runs.values():
            report(row)
            say(f"  {name}: {row['contestant']} {row['min_ms']:.2f} ms, {row['cpu_ms']:.2f} of cpu")


def table(rows: list[dict]) -> str:
    """Returns the rows as text: least processor times and their ratio."""
    lines = [f"{'model':34s} {'ours ms':>9s} {'torch ms':>9s} {'ratio':>6s}"]
    ratios = []
    for name in dict.fromkeys(row["model"] for row in rows):
        cpu = {r["contestant"]: r["cpu_ms"] for r in rows if r["model"] == name}
        ours, torch = cpu["tinygrad_rnn"], cpu.get("torch")
        ratio = "" if torch is None else f"{ours / torch:6.2f}"
        if torch and name.startswith("char LM"):
            ratios.append(math.log(ours / torch))
        lines.append(f"{name:34s} {ours:9.2f} {torch or math.nan:9.2f} {ratio:>6s}")
    if ratios:
        mean = math.exp(sum(ratios) / len(ratios))
        lines.append(f"{'char LM, geometric mean':34s} {'':9s} {'':9s} {mean:6.2f}")
    return "\n".join(lines)


def both(ours: Callable, torchs: Callable) -> Steps:
    """Returns the steps of those who are installed; each is built with the same random numbers."""
    steps = {"tinygrad_rnn": ours()}
    if installed("torch"):
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        steps["torch"] = torchs()
    return steps


def language_model(vocabulary: int, embedded: int, layers: int, hidden: int, T: int, B: int,
                   tied: bool, adam: bool) -> Steps:  # fmt: skip
    rng = np.random.default_rng(0)
    words = rng.integers(0, vocabulary, (T + 1, B))

    def ours() -> Callable:
        import tinygrad_rnn as tg
        from tinygrad_rnn import nn

        class Net(nn.Module):
            def __init__(self) -> None:
                self.embed = nn.Embedding(vocabulary, embedded, seed=1)
                self.rnn = nn.LSTM(embedded, hidden, layers, seed=2)
                self.out = nn.Linear(hidden, vocabulary, seed=3)
                if tied:
                    self.out.weight = self.embed.weight

            def forward(self, x: Any) -> Any:
                return self.out(self.rnn(self.embed(x))[0])

        net = Net()
        net.rnn = net.rnn.compile("auto")
        parameters = list(net.parameters())
        optimiser = (tg.optim.Adam if adam else tg.optim.SGD)(parameters, lr=1e-3)
        loss_of, x, y = nn.CrossEntropyLoss(), tg.tensor(words[:-1]), tg.tensor(words[1:])

        def step() -> Any:
            optimiser.zero_grad()
            loss = loss_of(net(x).reshape(-1, vocabulary), y.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            return loss

        return step

    def torchs() -> Callable:
        import torch
        from torch import nn

        embed, out = nn.Embedding(vocabulary, embedded), nn.Linear(hidden, vocabulary)
        rnn = nn.LSTM(embedded, hidden, layers)
        if tied:
            out.weight = embed.weight
        parameters = list({id(p): p for m in (embed, rnn, out) for p in m.parameters()}.values())
        optimiser = (torch.optim.Adam if adam else torch.optim.SGD)(parameters, lr=1e-3)
        loss_of, x, y = nn.CrossEntropyLoss(), torch.tensor(words[:-1]), torch.tensor(words[1:])

        def step() -> Any:
            optimiser.zero_grad()
            loss = loss_of(out(rnn(embed(x))[0]).reshape(-1, vocabulary), y.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            return loss

        return step

    return both(ours, torchs)


for _layers, _hidden in ((1, 128), (1, 256), (2, 128), (2, 256)):
    for _T in (50, 128):
        model(f"char LM {_layers}x{_hidden} T{_T} B32", 65, 128, _layers, _hidden, _T, 32, False,
              True)(language_model)  # fmt: skip
for _V in (2500, 10000):
    model(f"word LM 2x200 tied V{_V} T35 B20", _V, 200, 2, 200, 35, 20, True, False)(language_model)


@model("attention decoder H256 T9 B128")
def attention_decoder() -> Steps:
    """d2l's sizes: a GRU that asks by additive attention, 9 steps of 128 sequences."""
    T, S, B, H, V = 9, 9, 128, 256, 200
    rng = np.random.default_rng(0)
    encoded = rng.standard_normal((S, B, H)).astype("f4")
    words = rng.integers(0, V, (T + 1, B))

    def ours() -> Callable:
        import tinygrad_rnn as tg
        from tinygrad_rnn import nn

        attend = nn.AdditiveAttention(H, H, H, seed=1)
        decoder = nn.Recurrent(nn.AttentionCell(nn.GRUCell(2 * H, H, seed=2), attend))
        fast = decoder.compile("auto")
        embed, out = nn.Embedding(V, H, seed=3), nn.Linear(H, V, seed=4)
        parameters = [p for m in (embed, decoder, out) for p in m.parameters()]
        optimiser, loss_of = tg.optim.Adam(parameters, lr=1e-3), nn.CrossEntropyLoss()
        source, x, y = tg.tensor(encoded), tg.tensor(words[:-1]), tg.tensor(words[1:])

        def step() -> Any:
            optimiser.zero_grad()
            output = fast(embed(x), context=attend.memory(source))[0]
            loss = loss_of(out(output).reshape(-1, V), y.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            return loss

        return step

    def torchs() -> Callable:
        import torch
        from torch import nn

        embed, cell, out = nn.Embedding(V, H), nn.GRUCell(2 * H, H), nn.Linear(H, V)
        W, U, v = nn.Linear(H, H, bias=False), nn.Linear(H, H), nn.Linear(H, 1, bias=False)
        parameters = [p for m in (embed, cell, out, W, U, v) for p in m.parameters()]
        optimiser, loss_of = torch.optim.Adam(parameters, lr=1e-3), nn.CrossEntropyLoss()
        source = torch.tensor(encoded).transpose(0, 1)
        x, y = torch.tensor(words[:-1]), torch.tensor(words[1:])

        def step() -> Any:
            optimiser.zero_grad()
            keys, h, outputs = U(source), torch.zeros(B, H), []
            for x_t in embed(x):
                scores = v(torch.tanh(W(h).unsqueeze(1) + keys)).squeeze(-1)
                read = (torch.softmax(scores, -1).unsqueeze(1) @ source).squeeze(1)
                h = cell(torch.cat((x_t, read), -1), h)
                outputs.append(h)
            loss = loss_of(out(torch.stack(outputs)).reshape(-1, V), y.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            return loss

        return step

    return both(ours, torchs)


def tagger(T: int, B: int, V: int, H: int, K: int, head_of: Callable, torch_head: Callable
           ) -> Steps:  # fmt: skip
    """A bidirectional LSTM over words and a loss of its emissions (T, B, K)."""
    words = np.random.default_rng(0).integers(0, V, (T, B))

    def ours() -> Callable:
        import tinygrad_rnn as tg
        from tinygrad_rnn import nn

        embed = nn.Embedding(V, H, seed=1)
        rnn = nn.LSTM(H, H, bidirectional=True, seed=2).compile("auto")
        out, (loss_of, more) = nn.Linear(2 * H, K, seed=3), head_of(tg, nn)
        parameters = [p for m in (embed, rnn, out) for p in m.parameters()] + more
        optimiser, x = tg.optim.Adam(parameters, lr=1e-3), tg.tensor(words)

        def step() -> Any:
            optimiser.zero_grad()
            loss = loss_of(out(rnn(embed(x))[0]))
            loss.backward()
            optimiser.step()
            return loss

        return step

    def torchs() -> Callable:
        import torch
        from torch import nn

        embed, rnn = nn.Embedding(V, H), nn.LSTM(H, H, bidirectional=True)
        out, (loss_of, more) = nn.Linear(2 * H, K), torch_head(torch, nn)
        parameters = [p for m in (embed, rnn, out) for p in m.parameters()] + more
        optimiser, x = torch.optim.Adam(parameters, lr=1e-3), torch.tensor(words)

        def step() -> Any:
            optimiser.zero_grad()
            loss = loss_of(out(rnn(embed(x))[0]))
            loss.backward()
            optimiser.step()
            return loss

        return step

    return both(ours, torchs)


@model("BiLSTM-CRF H64 K9 T30 B32")
def bilstm_crf() -> Steps:
    T, B, K = 30, 32, 9
    tags = np.random.default_rng(1).integers(0, K, (T, B))

    def ours(tg: Any, nn: Any) -> tuple:
        crf, right = nn.CRF(K, seed=4, backend="c"), tg.tensor(tags)
        return lambda e: crf(e, right), list(crf.parameters())

    def torchs(torch: Any, nn: Any) -> tuple:
        start, end, move = (nn.Parameter(0.1 * torch.randn(*s)) for s in ((K,), (K,), (K, K)))
        right = torch.tensor(tags)

        def loss(e: Any) -> Any:
            alpha = start + e[0]
            for e_t in e[1:]:
                alpha = torch.logsumexp(alpha.unsqueeze(2) + move, 1) + e_t
            total = torch.logsumexp(alpha + end, 1)
            score = start[right[0]] + end[right[-1]] + move[right[:-1], right[1:]].sum(0)
            return (total - score - e.gather(2, right.unsqueeze(2)).squeeze(2).sum(0)).mean()

        return loss, [start, end, move]

    return tagger(T, B, 1000, 64, K, ours, torchs)


@model("CTC H128 C37 T40 B32")
def ctc() -> Steps:
    T, B, C, L = 40, 32, 37, 6
    texts = np.random.default_rng(1).integers(1, C, (B, L))
    lengths, sizes = [T] * B, [L] * B

    def ours(tg: Any, nn: Any) -> tuple:
        loss = nn.CTCLoss(backend="c")
        return lambda e: loss(tg.log_softmax(e, -1), tg.tensor(texts), lengths, sizes), []

    def torchs(torch: Any, nn: Any) -> tuple:
        loss, right = nn.CTCLoss(), torch.tensor(texts)
        return lambda e: loss(torch.log_softmax(e, -1), right, lengths, sizes), []

    return tagger(T, B, 1000, 128, C, ours, torchs)


@model("one character at a time, 1x128")
def generating() -> Steps:
    """50 characters: embed, one step, softmax, a draw."""
    V, H, count = 65, 128, 50

    def ours() -> Callable:
        import tinygrad_rnn as tg
        from tinygrad_rnn import nn

        embed, rnn = nn.Embedding(V, H, seed=1), nn.LSTM(H, H, seed=2).compile("auto")
        out, draws = nn.Linear(H, V, seed=3), tg.Generator(0)

        @tg.no_grad()
        def step() -> Any:
            x, state = tg.tensor([[0]]), None
            for _ in range(count):
                y, state = rnn(embed(x), state)
                x = tg.multinomial(out(y[0]).softmax(-1), 1, generator=draws)
            return x

        return step

    def torchs() -> Callable:
        import torch
        from torch import nn

        embed, rnn, out = nn.Embedding(V, H), nn.LSTM(H, H), nn.Linear(H, V)

        @torch.no_grad()
        def step() -> Any:
            x, state = torch.tensor([[0]]), None
            for _ in range(count):
                y, state = rnn(embed(x), state)
                x = torch.multinomial(out(y[0]).softmax(-1), 1)
            return x

        return step

    return both(ours, torchs)


def race(options: Any, in_process: Callable) -> list[dict]:
    """Runs all models, or those that --cells names, in a process of one thread."""
    names = [n for n in MODELS if any(part in n for part in (options.cells or "").split(","))]
    job = {"measure": "steps", "models": names, "repeats": options.repeats,
           "budget": options.budget, "tf32": False}  # fmt: skip
    rows = in_process(job, [], 1)
    print(table(rows))
    return json.loads(json.dumps(rows))
