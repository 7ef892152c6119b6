"""Step, note, validate, save, and go on after an end at any step; programs call it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..engine.context import no_grad
from ..nn.clipping import clip_grad_norm_
from ..optim import ReduceLROnPlateau
from .curves import draw_curves, need_matplotlib
from .interrupts import Interrupts
from .progress import Progress
from .run import Run, detached, now

Loss = Callable[..., Any]
PathLike = str | os.PathLike[str]


class Plan(NamedTuple):
    """Hold what was asked of `fit` beside the parts of the run."""

    loss: Loss
    epochs: float
    steps: float
    carry: bool
    clip: float
    validation: Any
    validate_every: int | None
    patience: float
    checkpoint: PathLike | None
    every_steps: float
    every_seconds: float
    on_validation: Callable[[Run], Any] | None


def fit(
    model: Any,
    batches: Any,
    loss: Loss,
    optimizer: Any,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    carry: bool = False,
    schedule: Any = None,
    clip: float | None = None,
    validation: Any = None,
    validate_every: int | None = None,
    patience: int | None = None,
    checkpoint: PathLike | None = None,
    every_steps: int | None = None,
    every_minutes: float | None = 10.0,
    resume: bool = True,
    generators: Iterable[Any] = (),
    progress: bool | None = None,
    curves: PathLike | None = None,
    on_validation: Callable[[Run], Any] | None = None,
) -> Run:
    """Train a model until `epochs` passes or `steps` steps are done; return the run.

    `loss(model, batch)` gives the Tensor to make small. With `carry=True` it is
    `loss(model, batch, state)` and gives (loss, state): the state is None where a pass begins and
    is cut off from its graph between batches, as truncated BPTT wants it.

    Each step: gradients, clipped to the norm `clip`; `optimizer`, `schedule`. After each pass, or
    each `validate_every` steps, `validation`: batches whose mean loss is taken without gradients,
    or a function that gives a number. `patience` validations without a new best one end training.

    With `checkpoint` the run is saved there at the end, each `every_steps` steps or `every_minutes`
    minutes, and on Ctrl-C or SIGTERM, which are obeyed after the step at hand. If that file exists,
    the run goes on from it, bit for bit as if it had never ended (`resume=False` begins anew):
    parameters, optimiser, schedule, position in the data, the state carried, the best so far, and
    every Generator in the model or in `generators`, and the default one.

    >>> import tinygrad_rnn as t
    >>> model = t.nn.Linear(1, 1, seed=0)
    >>> batches = [(t.tensor([[x]]), t.tensor([[3 * x]])) for x in (1.0, 2.0)]
    >>> error = lambda model, batch: (model(batch[0]) - batch[1]).square().mean()
    >>> run = fit(model, batches, error, t.optim.SGD(model.parameters(), lr=0.1), epochs=100)
    >>> run.step, run.history["loss"][-1] < 1e-3
    (200, True)
    """
    _check_numbers(epochs=epochs, steps=steps, validate_every=validate_every,
                   patience=patience, every_steps=every_steps)  # fmt: skip
    if epochs is None and steps is None:
        raise ValueError("fit: say for how many epochs or steps")
    if patience is not None and validation is None:
        raise ValueError("fit: patience waits for a better validation, and there is none")
    if curves is not None:
        need_matplotlib()
    for path in (checkpoint, curves):  # not after hours of training
        if path is not None and not os.path.isdir(folder := os.path.dirname(os.path.abspath(path))):
            raise FileNotFoundError(f"fit: there is no folder {folder} to write {path} in")
    forever = lambda limit: math.inf if limit is None else limit
    plan = Plan(loss, forever(epochs), forever(steps), carry, forever(clip), validation,
                validate_every, forever(patience), checkpoint, forever(every_steps),
                60 * forever(every_minutes), on_validation)  # fmt: skip
    run = Run(model, batches, optimizer, schedule, generators)
    gone_on = checkpoint is not None and resume and run.resume(checkpoint)
    bar = Progress(_total(run, plan), run.step, progress)
    if gone_on and progress is not False:
        bar.say(f"going on from step {run.step} of {os.fspath(checkpoint)}")  # type: ignore[arg-type]
    try:
        with Interrupts() as interrupts:
            _loop(run, plan, bar, interrupts)
            if checkpoint is not None:
                run.save(checkpoint)
            if curves is not None:
                draw_curves(run, curves)
            if interrupts.heard is not None and checkpoint is not None:
                bar.say(f"ended at step {run.step}, saved in {os.fspath(checkpoint)}")
    finally:
        bar.close()
    return run


def _check_numbers(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and (number != int(number) or number < 1):
            raise ValueError(f"fit: {name} has to be a whole number of at least 1, got {number}")


def _loop(run: Run, plan: Plan, bar: Progress, interrupts: Interrupts) -> None:
    begun, saved = now() - run.seconds, now()
    while not _ended(run, plan):
        if run.batches.position == 0:
            run.state = None
        for batch in run.batches:
            _train(run, plan, batch)
            if plan.validate_every and run.step % plan.validate_every == 0:
                _validate(run, plan)
            run.seconds = now() - begun
            bar.step(_words(run))
            if interrupts.heard is not None:
                return
            if _ended(run, plan):
                break
            if run.step % plan.every_steps == 0 or now() - saved > plan.every_seconds:
                if plan.checkpoint is not None:
                    run.save(plan.checkpoint)
                saved = now()
        if not plan.validate_every or run.ended:
            _validate(run, plan)


def _train(run: Run, plan: Plan, batch: Any) -> None:
    run.optimizer.zero_grad()
    if plan.carry:
        loss, state = plan.loss(run.model, batch, run.state)
        run.state = detached(state)
    else:
        loss = plan.loss(run.model, batch)
    loss.backward()
    rate = run.optimizer.param_groups[0]["lr"]
    try:
        norm = clip_grad_norm_(run.parameters, plan.clip)
    except ValueError as error:  # NaN: the parameters are as they were before this step
        raise ValueError(f"step {run.step + 1}: {error}") from None
    run.optimizer.step()
    if run.schedule is not None and not isinstance(run.schedule, ReduceLROnPlateau):
        run.schedule.step()
    run.step += 1
    run.note(loss=loss.item(), gradient_norm=float(norm), learning_rate=float(rate))


def _validate(run: Run, plan: Plan) -> None:
    if plan.validation is None or run.history["validation_step"][-1:] == [run.step]:
        return
    value = _validation_loss(run, plan)
    run.note(validation=value, validation_step=run.step)
    better = value < run.best
    run.waited = 0 if better else run.waited + 1
    if better:
        run.best, run.best_state = value, run.model.state_dict()
    if isinstance(run.schedule, ReduceLROnPlateau):
        run.schedule.step(value)
    if plan.on_validation is not None:
        plan.on_validation(run)


def _validation_loss(run: Run, plan: Plan) -> float:
    """Return the mean over the batches, without dropout, or what the caller's function says."""
    if callable(plan.validation):
        return float(plan.validation())
    if hasattr(plan.validation, "rewind"):
        plan.validation.rewind()  # else a run gone on with would meet another order
    modes = [(module, module.training) for module in run.model.modules()]
    state, losses = None, []
    run.model.eval()
    try:
        with no_grad():
            for batch in plan.validation:
                if plan.carry:
                    loss, state = plan.loss(run.model, batch, state)
                else:
                    loss = plan.loss(run.model, batch)
                losses.append(loss.item())
    finally:
        for module, training in modes:
            module.training = training
    if not losses:
        raise ValueError("fit: the validation has no batches")
    return math.fsum(losses) / len(losses)


def _ended(run: Run, plan: Plan) -> bool:
    reasons = {"patience": run.waited >= plan.patience, "steps": run.step >= plan.steps,
               "epochs": run.epoch >= plan.epochs}  # fmt: skip
    run.ended = next((reason for reason, true in reasons.items() if true), "")
    return bool(run.ended)


def _total(run: Run, plan: Plan) -> int | None:
    total = min(plan.steps, plan.epochs * len(run.batches))
    return None if math.isinf(total) else int(total)


def _words(run: Run) -> str:
    told = f"loss {run.history['loss'][-1]:.4g}"
    return (
        f"{told}, validation {run.history['validation'][-1]:.4g}"
        if run.history["validation"]
        else told
    )
