"""Time series, from `task_list`: what comes next? An LSTM, an echo state network and a line say it.

Mackey–Glass (x' = 0.2 x(t−17) / (1 + x(t−17)¹⁰) − 0.1 x) is chaotic but not random; sunspots are
real. Each method forecasts one step of the last part of the series, from all that came before;
NRMSE is the root of the mean squared error over the standard deviation: 1 is as good as the mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..engine.tensor import Tensor, tensor
from ..functions.losses import mse_loss
from ..nn.reservoir import ridge
from ..text import TextError
from ..text.reading import read_lines
from .data_sources import file_of
from .figures import lines
from .task import DataError, Goal, Task, TaskSettings

LENGTH, TESTED, WINDOW, WASHOUT = 3000, 1000, 50, 100
LAGS = 12  # of the linear baseline


class Forecaster(nn.Module):
    """A recurrent layer and a line: x_1 … x_t → what is added to x_t to give x_{t+1}."""

    def __init__(self, layer: Any, seed: int):
        self.layer, self.output = layer, nn.Linear(layer.output_size, 1, seed=seed)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        h, state = self.layer(x, state)
        return x + self.output(h), state


class Series(Task):
    """Learn to forecast a series by one step, and then to go on by itself."""

    name, title = "series", "A time series, forecast by an LSTM, an echo state network and a line"
    shape = "many to many, T_x = T_y: what comes next"
    takes = "a text file of numbers, one per line (or the last column of a table)"
    asks = "nothing: it goes on from where the series ends"
    goal = Goal("NRMSE of the LSTM", most=0.01)
    defaults = TaskSettings(hidden=32, steps=1500, batch=32, rate=1e-2)
    values: np.ndarray

    def read(self, path: Path | None) -> None:
        """Read numbers, or make a Mackey–Glass series; the last part is held out."""
        length = 600 if self.quick else LENGTH
        given = mackey_glass(length) if path is None else numbers_of(file_of(path))
        tested = min(TESTED, len(given) // 4)
        self.cut = len(given) - tested
        learnt = given[: self.cut]
        self.known.facts |= {"mean": float(learnt.mean()), "std": float(learnt.std()) or 1.0}
        self.values = (given - self.known.facts["mean"]) / self.known.facts["std"]
        self.known.facts["end"] = self.values[-200:].tolist()

    def build(self) -> Forecaster:
        return Forecaster(self.layer(1), self.settings.seed)

    def examples(self, random: np.random.Generator, held: bool) -> Any:
        """Return windows (T, B, 1) and the same one step later."""
        low, high = (self.cut, len(self.values)) if held else (0, self.cut)
        steps = min(WINDOW, high - low - 1)
        starts = random.integers(low, high - steps, self.settings.batch)
        rows = np.stack([self.values[s : s + steps + 1] for s in starts], 1)[..., None]
        rows = rows.astype(np.float32)
        return tensor(rows[:-1]), tensor(rows[1:])

    def loss(self, model: Forecaster, batch: Any, state: Any = None) -> Any:
        """Return the mean squared error of all but the first steps of a window."""
        x, y = batch
        skipped = len(x) // 4
        return mse_loss(model(x)[0][skipped:], y[skipped:])

    def forecasts(self, model: Forecaster) -> dict[str, np.ndarray]:
        """Return each method's forecast of every number held out from those before it."""
        x = tensor(self.values[:-1, None, None].astype(np.float32), device=self.settings.device)
        said = model(x)[0].cpu().numpy()[:, 0, 0]
        return {"the LSTM": said[self.cut - 1 :], "the echo state network": self.echo(),
                "a line over the last 12": self.line(),
                "no change": self.values[self.cut - 1 : -1]}  # fmt: skip

    def echo(self) -> np.ndarray:
        net = nn.EchoState(1, 300, 1, spectral_radius=0.9, leak=0.7, sparsity=0.95,
                           dtype=np.float64, seed=self.settings.seed)  # fmt: skip
        x = tensor(self.values[:-1, None, None], dtype=np.float64)
        washout = min(WASHOUT, self.cut // 4)
        net.fit(x[: self.cut - 1], tensor(self.values[1 : self.cut, None, None]), washout=washout)
        return net(x)[0].detach().numpy()[self.cut - 1 :, 0, 0]

    def line(self) -> np.ndarray:
        """Return the forecasts of an autoregression, fitted by least squares."""
        lags = min(LAGS, self.cut // 4)
        rows = np.stack([self.values[lags - 1 - k : len(self.values) - 1 - k] for k in range(lags)])
        rows = np.vstack([rows, np.ones(rows.shape[1])]).T
        y, learnt = self.values[lags:], self.cut - lags
        return (rows @ ridge(rows[:learnt], y[:learnt, None], 1e-8).T)[learnt:, 0]

    def measure(self, model: Forecaster) -> dict[str, float]:
        """Return the NRMSE of each method."""
        y = self.values[self.cut :]
        return {f"NRMSE of {name}": float(np.sqrt(((said - y) ** 2).mean()) / y.std())
                for name, said in self.forecasts(model).items()}  # fmt: skip

    def free(self, model: Forecaster, before: np.ndarray, steps: int) -> np.ndarray:
        """Return what the model says when its forecasts are fed back."""
        y, state = model(tensor(before[:, None, None].astype(np.float32)))
        y, said = y[-1:], []
        for _ in range(steps):
            said.append(float(y.item()))
            y, state = model(y, state)
        return np.array(said)

    def answer(self, model: Forecaster, text: str, seed: int = 0, temperature: float = 1.0) -> str:
        """Return the next ten numbers, in the data's own units."""
        facts = self.known.facts
        said = self.free(model, np.array(facts["end"]), 10) * facts["std"] + facts["mean"]
        return " ".join(f"{value:.4g}" for value in said)

    def figures(self, model: Forecaster) -> list[str]:
        """Draw one step ahead with every method; and the model on its own."""
        y, shown = self.values[self.cut :], slice(0, 150)
        said = {
            name: line[shown] for name, line in self.forecasts(model).items() if name != "no change"
        }
        places = range(len(y[shown]))
        steps = min(150, len(y))
        alone = self.free(model, self.values[max(0, self.cut - 300) : self.cut], steps)
        unit = "value, in standard deviations"
        errors = {name: (places, np.abs(line - y[shown])) for name, line in said.items()}
        return [lines("One step ahead", "step of the part held out", unit,
                      {"what came": (places, y[shown]),
                       **{f"forecast of {n}": (places, v) for n, v in said.items()}}),
                lines("How far off", "step of the part held out", "error, standard deviations",
                      {f"error of {n}": v for n, v in errors.items()}, log=True),
                lines("On its own: each forecast is the next input", "step after the last one seen",
                      unit, {"what came": (range(steps), y[:steps]),
                             "the LSTM, on its own": (range(steps), alone)})]  # fmt: skip

    def small(self) -> Any:
        x, y = self.batch(0)
        return x[:3, :1], y[:3, :1]


def mackey_glass(length: int, delay: int = 17, parts: int = 10) -> np.ndarray:
    """Return the series at whole times, by Runge–Kutta's rule with steps of a tenth."""
    h, lag = 1 / parts, delay * parts
    x = np.full((length + 200) * parts + lag + 1, 1.2)
    slope = lambda now, then: 0.2 * then / (1 + then**10) - 0.1 * now
    for k in range(lag, len(x) - 1):
        then, later = x[k - lag], x[k - lag + 1]
        one = slope(x[k], then)
        two = slope(x[k] + h / 2 * one, (then + later) / 2)
        three = slope(x[k] + h / 2 * two, (then + later) / 2)
        x[k + 1] = x[k] + h / 6 * (one + 2 * two + 2 * three + slope(x[k] + h * three, later))
    return x[lag + 1 :: parts][200 : 200 + length]


def numbers_of(path: Path) -> np.ndarray:
    """Return the last number of each line; TextError names a line without one."""
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        parts = line.replace(",", " ").replace(";", " ").split()
        if not parts:
            continue
        try:
            found.append(float(parts[-1]))
        except ValueError:
            if found:  # the first line may be a heading
                told = f"{path}, line {number}: a number is wanted, got {parts[-1][:40]!r}"
                raise TextError(told) from None
    if len(found) < 40 or not np.isfinite(found).all():
        raise DataError(f"{path}: {len(found)} numbers; 40 or more are wanted, all finite")
    return np.array(found)
