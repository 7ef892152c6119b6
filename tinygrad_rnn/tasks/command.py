"""Train a task, ask it, draw it, check it: the programs `tinygrad-rnn` and `tools/train.py`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..draw.draw_error import DrawError
from ..engine.command_line import complain, run_command
from ..files import CheckpointError
from ..functions.random import Generator
from ..text import TextError
from .data_sources import listed
from .result_page import graphs, write_page
from .running import CHECKPOINT, Result, keep, restored, train
from .task import CELLS, DataError, Task, TaskSettings
from .task_list import TASKS, task_of

PROGRAM = "tinygrad-rnn"
BAD = 2  # the exit code of a wrong argument or of data that cannot be used
TRAIN = """examples:
  tinygrad-rnn train characters                          with what is built in
  tinygrad-rnn train characters --data kjv.txt --cell gru --hidden 128 --out out/kjv
  tinygrad-rnn train dates --seeds 5                  quality over five seeds
  tinygrad-rnn train characters --resume                 go on after Ctrl-C

tasks: """


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: tinygrad-rnn train characters && tinygrad-rnn sample out/characters",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    _train_arguments(_verb(verbs, "train", "train a task and write its result page",
                           TRAIN + ", ".join(TASKS)))  # fmt: skip
    ask = _verb(verbs, "sample", "ask a trained model", "example: tinygrad-rnn sample "
                'out/characters "In the " --temperature 0.5 --count 3')  # fmt: skip
    ask.add_argument("folder", type=Path, help="what train wrote, out/characters say")
    ask.add_argument("text", nargs="*", help="what it is asked")
    ask.add_argument("--count", type=int, default=1, help="answers, each by a seed of its own")
    ask.add_argument("--temperature", type=float, default=0.7, help="below 1: surer, above: freer")
    ask.add_argument("--seed", type=int, default=0)
    show = _verb(verbs, "draw", "draw a task's unrolled graph, or any that draw_graph draws",
                 "examples: tinygrad-rnn draw out/characters -o letters.svg\n"
                 "          tinygrad-rnn draw --cell lstm --steps 3 -o lstm.svg")  # fmt: skip
    show.add_argument("rest", nargs=argparse.REMAINDER, help="a folder of train, or --cell …")
    test = _verb(verbs, "check", "hold a task's gradients against numeric slopes",
                 "example: tinygrad-rnn check characters")  # fmt: skip
    test.add_argument("what", help="a task, or a folder of train")
    test.add_argument("--data", type=Path, metavar="PATH")
    _verb(verbs, "data", "list data that are installed, licences, how to get the others",
          "example: tinygrad-rnn data")  # fmt: skip
    return top


def _verb(verbs: Any, name: str, says: str, example: str) -> argparse.ArgumentParser:
    shown = argparse.RawDescriptionHelpFormatter
    return verbs.add_parser(name, help=says, description=says, epilog=example,
                            formatter_class=shown)  # fmt: skip


def _train_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("task", help=f"one of {', '.join(TASKS)}")
    p.add_argument(
        "--data", type=Path, metavar="PATH", help="a file of yours instead of the default"
    )
    p.add_argument("--cell", choices=list(CELLS), help="of the recurrent layer")
    for name, kind, says in (("hidden", int, "units"), ("steps", int, "of training"),
                             ("batch", int, "examples in a step"), ("rate", float, "of learning"),
                             ("seed", int, "of weights and batches")):  # fmt: skip
        p.add_argument(f"--{name}", type=kind, help=says)
    p.add_argument("--device", choices=("cpu", "cuda"))
    p.add_argument("--no-compile", dest="compiled", action="store_false", default=None)
    p.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    p.add_argument("--out", type=Path, metavar="FOLDER", help="default out/TASK")
    p.add_argument("--seeds", type=int, default=1, help="train so often and compare")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(lambda: _told(arguments), PROGRAM)


def _told(arguments: Sequence[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(given)
    options.command = " ".join([PROGRAM, *given])
    try:
        return VERBS[options.verb](options)
    except (DataError, TextError, CheckpointError, DrawError) as error:
        complain(PROGRAM, str(error))
        return BAD


def _settings(options: argparse.Namespace, kind: type[Task]) -> TaskSettings:
    """Return the task's own settings but for what was asked otherwise."""
    asked = {f.name: getattr(options, f.name) for f in fields(TaskSettings)}
    for name in ("hidden", "steps", "batch"):
        if asked[name] is not None and asked[name] < 1:
            raise DataError(f"--{name} must be at least 1, got {asked[name]}")
    return replace(kind.defaults, **{k: v for k, v in asked.items() if v is not None})


def _train(options: argparse.Namespace) -> int:
    kind = task_of(options.task)
    settings = _settings(options, kind)
    out = options.out or Path("out") / kind.name
    out.mkdir(parents=True, exist_ok=True)
    if options.seeds > 1:
        return _over_seeds(kind, settings, options)
    if not options.resume:
        (out / CHECKPOINT).unlink(missing_ok=True)
    task = kind(settings)
    result = train(task, options.data, out, options.resume)
    keep(task, result, out)
    page = write_page(task, result, out, options.command)
    print(report(task, result))
    for text in task.questions()[:2]:
        print(f"\n{text or 'unasked:'}\n{task.answer(result.model, text)}")
    print(f"\nlook at {page}; ask it: {PROGRAM} sample {out}")
    return 0


def report(task: Task, result: Result) -> str:
    """Return one line: what was measured, in which time, whether the goal is reached."""
    told = ", ".join(f"{name} {value:.4g}" for name, value in result.measured.items())
    end = "reached" if task.goal.reached(result.measured) else "not reached"
    took = f"{result.seconds:.0f} s; {task.goal}: {end}"
    return f"{task.name}, seed {task.settings.seed}: {told} ({took})"


def _over_seeds(kind: type[Task], settings: TaskSettings, options: argparse.Namespace) -> int:
    reached = 0
    for seed in range(settings.seed, settings.seed + options.seeds):
        task, began = kind(replace(settings, seed=seed)), time.process_time()
        result = train(task, options.data)
        print(f"{report(task, result)}, processor {time.process_time() - began:.0f} s", flush=True)
        reached += task.goal.reached(result.measured)
    print(f"{kind.name}: {kind.goal} on {reached} of {options.seeds} seeds")
    return 0


def _sample(options: argparse.Namespace) -> int:
    task, model, _ = restored(options.folder)
    for seed in range(options.seed, options.seed + max(1, options.count)):
        print(task.answer(model, " ".join(options.text), seed, options.temperature))
    return 0


def _draw(options: argparse.Namespace) -> int:
    from ..draw.cli import main as draw_graph

    rest = options.rest
    folder = Path(rest[0]) if rest and not rest[0].startswith("-") else None
    if folder is None or not (folder.is_dir() or rest[0] in TASKS):
        return draw_graph(rest)
    task, model = _task_and_model(rest[0], None)
    drawing, _ = graphs(task, model)
    for path in [p for flag, p in zip(rest[1:], rest[2:]) if flag in ("-o", "--output")] or ["-"]:
        print(drawing.svg) if path == "-" else print(drawing.save(path))
    return 0


def _task_and_model(what: str, data: Path | None) -> tuple[Task, Any]:
    """Return a trained task of a folder, or a new one by its name, and its model."""
    if Path(what).is_dir():
        task, model, _ = restored(Path(what))
        task.read(data)
        return task, model
    task = task_of(what)()
    task.read(data)
    return task, task.build()


def _check(options: argparse.Namespace) -> int:
    """Compare the gradient along random directions with the slope of the loss."""
    task, model = _task_and_model(options.what, options.data)
    worst = slope_error(task, model.double())
    print(f"{task.name}: largest difference of gradient and numeric slope {worst:.1e}, relative")
    return 0 if worst < 1e-5 else 1


def slope_error(task: Task, model: Any, directions: int = 5, step: float = 1e-5) -> float:
    """Return the largest relative difference of directional derivatives, in double precision."""
    model.eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    model.zero_grad()
    task.loss_of_small(model).backward()
    random, worst = Generator(seed=0), 0.0
    for _ in range(directions):
        ways = [random.normal(p.shape, dtype=np.float64).numpy() for p in parameters]
        pairs = zip(parameters, ways)
        slope = sum(float((p.grad.numpy() * way).sum()) for p, way in pairs if p.grad is not None)
        numeric = (_moved(task, model, parameters, ways, step)
                   - _moved(task, model, parameters, ways, -step)) / (2 * step)  # fmt: skip
        worst = max(worst, abs(slope - numeric) / max(abs(slope), abs(numeric), 1e-12))
    return worst


def _moved(task: Task, model: Any, parameters: list, ways: list, step: float) -> float:
    """Return the loss with the parameters moved along a direction, and put them back."""
    before = [p.detach().numpy().copy() for p in parameters]
    for p, value, way in zip(parameters, before, ways):
        p.data = value + step * way
    loss = task.loss_of_small(model).item()
    for p, value in zip(parameters, before):
        p.data = value
    return loss


def _data(options: argparse.Namespace) -> int:
    print(listed())
    return 0


VERBS = {"train": _train, "sample": _sample, "draw": _draw, "check": _check, "data": _data}

if __name__ == "__main__":
    sys.exit(main())
