"""The loop does what one would write by hand, says what goes wrong, and goes on bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from runs import Cut, fingerprint, language_model, parts, train

from tinygrad_rnn import (
    CheckpointError,
    Generator,
    load,
    manual_seed,
    nn,
    optim,
    save,
    tensor,
    text,
)
from tinygrad_rnn.training import Run, fit, generators_of, progress

ROOT = Path(__file__).parents[2]


def squares(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def line(seed=0, lr=0.1):
    """A model of y = 3x − 1, its optimiser and its batches."""
    model = nn.Linear(1, 1, seed=seed)
    xs = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3, 1)
    batches = [(tensor(x), tensor(3 * x - 1)) for x in xs]
    return model, batches, optim.SGD(model.parameters(), lr=lr)


# ------------------------------------------------------------------- what a loop by hand does


def test_it_is_the_loop_one_would_write():
    model, batches, sgd = line()
    schedule = optim.StepLR(sgd, 3)
    run = fit(model, batches, squares, sgd, epochs=3, clip=0.5, schedule=schedule)
    other, _, sgd = line()
    schedule = optim.StepLR(sgd, 3)
    losses, norms, rates = [], [], []
    for batch in batches * 3:
        sgd.zero_grad()
        loss = squares(other, batch)
        loss.backward()
        rates.append(sgd.param_groups[0]["lr"])
        norms.append(nn.clip_grad_norm_(other, 0.5))
        sgd.step()
        schedule.step()
        losses.append(loss.item())
    assert run.history["loss"] == losses and run.history["gradient_norm"] == norms
    assert run.history["learning_rate"] == rates and (run.step, run.epoch) == (12, 3)
    assert fingerprint(model.state_dict()) == fingerprint(other.state_dict())


def test_a_carried_state_begins_anew_with_each_pass_and_is_detached():
    seen = []

    def loss(model, batch, state):
        seen.append(state)
        assert state is None or all(part.is_leaf and not part.requires_grad for part in state)
        y, state = model(batch[0].unsqueeze(-1).float(), state)
        return y.square().mean(), state

    model = nn.LSTM(1, 2, seed=0)
    streams = text.Streams(range(25), batch_size=2, steps=5)
    fit(model, streams, loss, optim.SGD(model.parameters()), epochs=2, carry=True)
    assert [state is None for state in seen] == [True, False, False] * 2


def test_batches_that_a_function_makes():
    model, batches, sgd = line()
    asked = []
    made = lambda k: asked.append(k) or batches[k % 4]
    run = fit(model, made, squares, sgd, steps=7)
    assert asked == list(range(7)) and run.step == 7


def test_steps_and_epochs_end_it_whichever_is_first():
    for steps, epochs, done in [(6, 9, 6), (99, 2, 8), (None, 1, 4), (3, None, 3)]:
        model, batches, sgd = line()
        run = fit(model, batches, squares, sgd, steps=steps, epochs=epochs)
        assert run.step == done and run.ended == ("steps" if done == steps else "epochs")


# --------------------------------------------------------------------- validation and its use


def test_validation_is_without_dropout_and_gradients():
    class Net(nn.Module):
        def __init__(self):
            self.linear, self.dropout = nn.Linear(1, 1, seed=0), nn.Dropout(0.5, seed=0)
            self.seen = []

        def forward(self, x):
            y = self.linear(self.dropout(x))
            self.seen.append((self.training, y.requires_grad))
            return y

    model, (_, batches, _) = Net(), line()
    fit(model, batches, squares, optim.SGD(model.parameters()), epochs=2, validation=batches[:1])
    assert model.seen == ([(True, True)] * 4 + [(False, False)]) * 2 and model.training


def test_validation_leaves_modules_in_the_mode_they_had():
    model = nn.Sequential(nn.Linear(1, 1, seed=0), nn.Dropout(0.5, seed=0))
    model.train()
    frozen = list(model.modules())[2].eval()
    _, batches, _ = line()
    fit(model, batches, squares, optim.SGD(model.parameters()), epochs=1, validation=batches)
    assert [module.training for module in model.modules()] == [True, True, False]
    assert frozen.training is False


def test_validation_each_few_steps_and_at_the_end():
    for every, steps, expected in [
        (None, 10, [4, 8, 10]),
        (3, 10, [3, 6, 9, 10]),
        (5, 10, [5, 10]),
    ]:
        model, batches, sgd = line()
        run = fit(
            model, batches, squares, sgd, steps=steps, validation=batches, validate_every=every
        )
        assert run.history["validation_step"] == expected
        mean = np.mean([squares(model, batch).item() for batch in batches])
        assert run.history["validation"][-1] == pytest.approx(mean)


def test_patience_ends_it_and_the_best_is_kept():
    values = iter([5.0, 3.0, 4.0, float("nan"), 3.0, 1.0])
    kept = {}
    model, batches, sgd = line()
    run = fit(model, batches, squares, sgd, epochs=50, validation=lambda: next(values), patience=3,
              on_validation=lambda run: kept.setdefault(run.step, model.state_dict()))  # fmt: skip
    assert run.ended == "patience" and run.epoch == 5 and run.best == 3.0
    assert fingerprint(run.best_state) == fingerprint(kept[8])


def test_a_plateau_is_told_the_validation():
    model, batches, sgd = line()
    schedule = optim.ReduceLROnPlateau(sgd, factor=0.5, patience=0)
    run = fit(model, batches, squares, sgd, epochs=3, schedule=schedule, validation=lambda: 1.0)
    assert run.history["learning_rate"][::4] == [0.1, 0.1, 0.05]


def test_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    model, batches, sgd = line()
    fit(model, batches, squares, sgd, epochs=2, validation=batches, curves=tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


# ------------------------------------------------------------------------------------ progress


class Terminal:
    """What is printed, and whether it is a terminal."""

    def __init__(self, live):
        self.text, self.isatty = "", lambda: live

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("live", [True, False])
def test_the_plain_bar(live, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    out = Terminal(live)
    monkeypatch.setattr(sys, "stderr", out)
    model, batches, sgd = line()
    fit(model, batches, squares, sgd, epochs=5, progress=True, validation=batches)
    assert "████████████████████████ 20/20  loss" in out.text and "validation" in out.text
    assert out.text.count("/20") == (20 if live else 10) and ("\r" in out.text) is live


def test_tqdm_is_used_where_it_is(monkeypatch):
    pytest.importorskip("tqdm")
    out = Terminal(True)
    monkeypatch.setattr(sys, "stderr", out)
    model, batches, sgd = line()
    fit(model, batches, squares, sgd, epochs=5)
    assert "20/20" in out.text and "loss" in out.text


def test_it_is_silent_where_nobody_looks(capsys):
    model, batches, sgd = line()
    fit(model, batches, squares, sgd, epochs=1)
    fit(*line()[:2], squares, sgd, epochs=1, progress=False)
    assert capsys.readouterr() == ("", "")
    assert progress.PlainBar(None, 3, sys.stderr)._line() == "step 3  "


# -------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "how many epochs or steps"),
        ({"epochs": 1, "patience": 2}, "patience waits for a better validation"),
        ({"epochs": 1, "validation": []}, "the validation has no batches"),
        ({"epochs": -1}, "epochs has to be a whole number of at least 1"),
        ({"steps": 0}, "steps has to be a whole number of at least 1"),
        ({"steps": 1, "every_steps": 0}, "every_steps"),
        ({"steps": 1, "validate_every": -3}, "validate_every"),
    ],
)
def test_what_cannot_be_asked(options, said):
    model, batches, sgd = line()
    with pytest.raises(ValueError, match=said):
        fit(model, batches, squares, sgd, **options)


@pytest.mark.parametrize("option", ["checkpoint", "curves"])
def test_a_folder_that_is_not_there_is_told_at_once(option, tmp_path):
    pytest.importorskip("matplotlib")
    model, batches, sgd = line()
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none to write"):
        fit(model, batches, squares, sgd, epochs=1, **{option: tmp_path / "none" / "x"})
    assert sgd.state_dict()["state"] == {}


def test_batches_that_cannot_be_gone_on_with():
    model, batches, sgd = line()
    with pytest.raises(TypeError, match="batches of type generator cannot be gone on with"):
        fit(model, (b for b in batches), squares, sgd, epochs=1)


def test_nan_names_step_and_parameter_and_spoils_nothing():
    model, batches, sgd = line()
    batches[2] = (batches[2][0], batches[2][1] * float("nan"))
    with pytest.raises(ValueError, match=r"step 3: non-finite gradient norm .* 'weight'"):
        fit(model, batches, squares, sgd, epochs=1)
    assert np.isfinite(np.asarray(model.state_dict()["weight"])).all()


def test_a_file_of_something_else_is_not_gone_on_from(tmp_path):
    path = tmp_path / "x"
    model, batches, sgd = line()
    save({"model": model.state_dict()}, path)
    with pytest.raises(CheckpointError, match="holds no run of fit"):
        fit(model, batches, squares, sgd, epochs=1, checkpoint=path)
    path.write_bytes(b"hello")
    with pytest.raises(CheckpointError):
        fit(model, batches, squares, sgd, epochs=1, checkpoint=path)
    fit(model, batches, squares, sgd, epochs=1, checkpoint=path, resume=False)
    with pytest.raises(ValueError, match="the place was saved with"):
        fit(model, batches[:3], squares, sgd, epochs=2, checkpoint=path)
    plateau = optim.ReduceLROnPlateau(sgd)
    with pytest.raises(ValueError, match="a schedule in the file: False, here: True"):
        fit(model, batches, squares, sgd, epochs=2, checkpoint=path, schedule=plateau)


def test_what_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "x"
    model, batches, _ = line()
    fit(model, batches, squares, optim.Adam(model.parameters()), epochs=1, checkpoint=path)
    saved = load(path)
    changes = {
        "model": {"weight": saved["model"]["weight"]},
        "optimizer": saved["optimizer"] | {"param_groups": []},
        "generators": [],
        "batches": saved["batches"] | {"settings": {}},
    }
    for name, part in changes.items():
        save(saved | {name: part}, path)
        other, _, _ = line(seed=3)
        run = Run(other, batches, optim.Adam(other.parameters()))
        before = fingerprint(run)
        with pytest.raises((ValueError, RuntimeError)):
            run.resume(path)
        assert fingerprint(run) == before
    del saved["history"]
    save(saved, path)
    with pytest.raises(CheckpointError, match="this run lacks history"):
        run.resume(path)


# ---------------------------------------------------------------------------------- going on


def test_all_generators_of_a_model_are_found():
    shared = Generator(3)
    model = nn.Sequential(
        nn.Dropout(0.5, seed=shared), nn.Dropout(0.5, seed=shared), nn.Dropout(seed=1)
    )
    layer = nn.LSTM(2, 3, 2, dropout=0.5, zoneout=0.1, seed=4)
    assert len(generators_of(model)) == 2 and generators_of(model)[0] is shared
    assert generators_of([model, {"x": layer}, model])[2:] == generators_of(layer)
    before = [g.state for g in generators_of(layer)]
    layer(tensor(np.ones((3, 1, 2), np.float32)))
    assert [g.state for g in generators_of(layer)] != before
    numpys = np.random.default_rng(0)
    assert generators_of({"data": (numpys, print)}) == [numpys]


@pytest.mark.parametrize("kind", ["streams", "batches", "made"])
def test_from_every_step_it_goes_on_bit_for_bit(kind, tmp_path, monkeypatch):
    write = Run.save
    monkeypatch.setattr(Run, "save", lambda run, path: write(run, tmp_path / f"{run.step}"))
    whole = train(kind, checkpoint=tmp_path / "x", every_steps=1)
    assert whole.ended == "epochs" or kind == "made"
    for step in range(1, whole.step + 1):
        resumed = train(kind, checkpoint=tmp_path / f"{step}", seed=1)
        assert fingerprint(resumed) == fingerprint(whole)


def test_cut_in_the_middle_of_a_step_it_goes_on_bit_for_bit(tmp_path):
    whole = train("streams")
    for cut in (2, 6, 7, 12):
        path = tmp_path / f"{cut}"
        with pytest.raises(Cut):
            train("streams", checkpoint=path, every_steps=1, cut_at=cut)
        assert fingerprint(train("streams", checkpoint=path, seed=1)) == fingerprint(whole)


def test_it_works_with_every_array_library(library, tmp_path):
    device = library.tensor([0.0]).device
    made = []
    for path in (None, tmp_path / "x"):
        model = nn.Linear(1, 1, seed=0).to(device)
        data = [(x.to(device), y.to(device)) for x, y in line()[1]]
        options = {"validation": data, "clip": 1.0, "checkpoint": path}
        for epochs in (3,) if path is None else (1, 3):
            adam = optim.Adam(model.parameters())
            fit(model, data, squares, adam, epochs=epochs, **options)
        made.append([library.numpy(p).tolist() for p in model.parameters()])
        assert all(p.device == device for p in model.parameters())
    assert made[0] == made[1]


@pytest.mark.slow
@pytest.mark.compiler
def test_a_compiled_model_goes_on_bit_for_bit(tmp_path):
    whole = train("streams", backend="c")
    for cut in (2, 9):
        with pytest.raises(Cut):
            train("streams", backend="c", checkpoint=tmp_path / f"{cut}", every_steps=1, cut_at=cut)
        resumed = train("streams", backend="c", checkpoint=tmp_path / f"{cut}", seed=1)
        assert fingerprint(resumed) == fingerprint(whole)


def test_what_was_finished_is_left_alone_and_can_be_lengthened(tmp_path):
    model, batches, sgd = line()
    fit(model, batches, squares, sgd, epochs=2, checkpoint=tmp_path / "x")
    other, _, sgd = line(seed=5)
    run = fit(other, batches, squares, sgd, epochs=2, checkpoint=tmp_path / "x")
    assert run.step == 8 and fingerprint(other.state_dict()) == fingerprint(model.state_dict())
    run = fit(other, batches, squares, sgd, epochs=3, checkpoint=tmp_path / "x")
    whole, _, sgd = line()
    fit(whole, batches, squares, sgd, epochs=3)
    assert run.step == 12 and fingerprint(other.state_dict()) == fingerprint(whole.state_dict())


def test_it_is_saved_by_steps_and_by_minutes(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Run, "save", lambda run, path: saved.append(run.step))
    model, batches, sgd = line()
    options = {"checkpoint": tmp_path / "x", "epochs": 5}
    fit(model, batches, squares, sgd, **options)
    fit(*line()[:2], squares, sgd, every_steps=8, **options)
    fit(*line()[:2], squares, sgd, every_minutes=0, steps=3, **options)
    assert saved == [20, 8, 16, 20, 1, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_obeyed_after_the_step_and_the_run_is_saved(number, tmp_path):
    whole, before = train("streams"), signal.getsignal(number)
    model = language_model(0)
    manual_seed(0)

    def interrupted(model, batch, state):
        if len(steps) == 4:
            os.kill(os.getpid(), number)
        steps.append(1)
        return loss(model, batch, state)

    steps: list[int] = []
    loss, options = parts("streams", model, checkpoint=tmp_path / "x")
    ends = KeyboardInterrupt if number == signal.SIGINT else SystemExit
    with pytest.raises(ends) as raised:
        fit(model, loss=interrupted, **options)
    assert number == signal.SIGINT or raised.value.code == 143
    assert len(steps) == 5 and signal.getsignal(number) is before
    assert fingerprint(train("streams", checkpoint=tmp_path / "x", seed=1)) == fingerprint(whole)


def test_a_second_signal_ends_it_at_once():
    def loss(model, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")

    model, batches, sgd = line()
    with pytest.raises(KeyboardInterrupt):
        fit(model, batches, loss, sgd, epochs=1)


def test_in_another_thread_signals_are_left_alone():
    model, batches, sgd = line()
    before, steps = signal.getsignal(signal.SIGINT), []
    work = lambda: steps.append(fit(model, batches, squares, sgd, epochs=1).step)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert steps == [4] and signal.getsignal(signal.SIGINT) is before


# ------------------------------------------------------------------------------------ kill -9


def killed(folder, times, backend):
    command = [sys.executable, ROOT / "tests" / "runs.py", folder, str(times), backend]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_killed_at_random_it_ends_as_if_never_killed(tmp_path):
    assert killed(tmp_path, 8, "") == 8


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("backend", ["", pytest.param("c", marks=pytest.mark.compiler)])
def test_killed_50_times_at_random_it_ends_as_if_never_killed(tmp_path, backend):
    assert killed(tmp_path, 50, backend) == 50
