"""Hold everything that training changes, so that saving it saves the run; `fit` works on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..engine.tensor import Tensor
from ..files import CheckpointError, load, save
from ..functions.sampling import default_generator
from ..text.batches import Resumable
from .generators import generators_of, set_states, states_of

VERSION = 1
SAVED = "state step seconds waited best best_state history ended".split()
SERIES = ("loss", "gradient_norm", "learning_rate", "validation", "validation_step")


class Run:
    """A model, its optimiser, schedule, data and random numbers, and how far they have come.

    `history` holds a number per step under "loss", "gradient_norm" and "learning_rate", and one per
    validation under "validation" and "validation_step". `best` is the least validation loss,
    `best_state` the model's state_dict then. `ended` says why training ended.
    """

    def __init__(self, model: Any, batches: Any, optimizer: Any, schedule: Any = None,
                 generators: Iterable[Any] = ()):  # fmt: skip
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.batches = resumable(batches)
        names = {id(p): name for name, p in model.named_parameters()}
        self.parameters = [(names.get(id(p), f"number {k}"), p)
                           for k, p in enumerate(optimizer.parameters())]  # fmt: skip
        self.generators = generators_of(model, list(generators), default_generator())
        self.step, self.seconds, self.waited = 0, 0.0, 0
        self.best, self.best_state = float("inf"), None
        self.state: Any = None  # what a stateful model carries from batch to batch
        self.history: dict[str, list] = {name: [] for name in SERIES}
        self.ended = ""

    @property
    def epoch(self) -> int:
        """Return how many passes over the data are done."""
        return self.batches.epoch

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as plain values and arrays."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {
            "fit": VERSION, **parts, "generators": states_of(self.generators),
            **{name: getattr(self, name) for name in SAVED},
        }  # fmt: skip

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken; nothing changes if a part of it does not fit."""
        before = self.state_dict()
        try:
            self._take(saved)
        except BaseException:
            self._take(before)
            raise

    def _take(self, saved: Mapping[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        set_states(self.generators, saved["generators"])
        for name in SAVED:
            setattr(self, name, saved[name])

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule,
                 "batches": self.batches}  # fmt: skip
        return {name: part for name, part in parts.items() if part is not None}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the state of the run to a file."""
        save(self.state_dict(), path)

    def resume(self, path: str | os.PathLike[str]) -> bool:
        """Restore the run from a file if there is one, and tell whether there was."""
        if not os.path.exists(path):
            return False
        saved = load(path, map_location=self.parameters[0][1].device)
        if not isinstance(saved, dict) or saved.get("fit") != VERSION:
            raise CheckpointError(f"{path}: holds no run of fit; choose another file")
        if lacking := set(self.state_dict()) - {"schedule"} - set(saved):
            raise CheckpointError(f"{path}: this run lacks {', '.join(sorted(lacking))}")
        there, here = "schedule" in saved, self.schedule is not None
        if there != here:
            raise ValueError(f"{path}: a schedule in the file: {there}, here: {here}")
        self.load_state_dict(saved)
        return True

    def note(self, **values: float) -> None:
        """Add a value to the history of each name."""
        for name, value in values.items():
            self.history[name].append(value)


class Listed(Resumable):
    """Batches that lie in a list."""

    def __init__(self, batches: Sequence[Any]):
        self.batches = batches
        super().__init__({"batches": len(batches)})

    def __len__(self) -> int:
        return len(self.batches)

    def batch(self, k: int) -> Any:
        return self.batches[k]


class Made(Resumable):
    """Batches that a function makes, one per step, without end: a pass is one batch."""

    def __init__(self, make: Callable[[int], Any]):
        self.make = make
        super().__init__({"batches": "made"})

    def __len__(self) -> int:
        return 1

    def batch(self, k: int) -> Any:
        return self.make(self.epoch)


def resumable(batches: Any) -> Any:
    """Return batches that can say where they stand; TypeError for what can only be run through."""
    if all(hasattr(batches, name) for name in ("state_dict", "load_state_dict", "epoch")):
        return batches
    if hasattr(batches, "__getitem__") and hasattr(batches, "__len__"):
        return Listed(batches)
    if callable(batches):
        return Made(batches)
    raise TypeError(
        f"fit: batches of type {type(batches).__name__} cannot be gone on with; give text.Streams, "
        "text.Batches, a list, or a function of the step that makes a batch"
    )


def detached(state: Any) -> Any:
    """Return a state cut off from the graph that made it, as truncated BPTT wants it."""
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, (list, tuple)):
        parts = [detached(part) for part in state]
        return parts if isinstance(state, list) else tuple(parts)
    return state


def now() -> float:
    return time.monotonic()
