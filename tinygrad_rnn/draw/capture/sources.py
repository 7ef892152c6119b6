"""Load what the command is to draw: a cell, `file.py:function` or JSON; for `cli` and `drawing`.

User code is loaded and run here and nowhere else. What it raises is kept with the graph as far as
it came; what it is not (a file, a name, a Tensor) is said in one line.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...engine.tensor import Tensor, tensor
from ..draw_error import TOO_LARGE, DrawError
from ..graph import Graph, GraphError
from .models import CELLS, Sizes, model
from .run_to_graph import check_result, graph_of, run
from .runs import graph_of_run
from .variables import named

MOST_STEPS = 20_000
MOST_BYTES = 4e9  # a machine that has more is not asked for it by a wrong zero
Found = tuple[Graph, BaseException | None]


def of_cell(name: str, sizes: Sizes) -> Found:
    """Return the graph of one of the book's cells, unrolled over random data."""
    if name not in CELLS:
        raise DrawError(f"unknown cell '{name}'{near(name, CELLS)}")
    check_sizes(sizes)
    title = _title(name, sizes)
    whole = partial(model, name, sizes)  # it names its nodes: no variables need be watched
    return graph_of_run(run(whole), title)


def _title(name: str, sizes: Sizes) -> str:
    return f"{name} · {sizes.steps} step" + "s" * (sizes.steps != 1)


def check_sizes(sizes: Sizes) -> None:
    """Raise a DrawError, before anything is made, when a cell of such sizes is no picture's."""
    weights = 4 * (sizes.input + 2 * sizes.hidden) * sizes.hidden * sizes.layers
    values = 40 * sizes.steps * sizes.batch * (sizes.input + sizes.hidden) * sizes.layers
    need = 8 * (2 * weights + values)  # in float64, with the gradients
    if need > MOST_BYTES:
        raise DrawError(
            f"a cell with {sizes.input:,} inputs and {sizes.hidden:,} units, {sizes.steps:,} steps "
            f"of a batch of {sizes.batch:,}, needs some {need / 1e9:,.0f} GB (limit "
            f"{MOST_BYTES / 1e9:.0f}). The picture is the same for small sizes: try --hidden 4",
            TOO_LARGE,
        )


def of_source(source: str, sizes: Sizes) -> Found:
    """Return the graph of `file.py:function`, `module:object` or `graph.json`."""
    if source.endswith(".json"):
        return from_json(Path(source)), None
    place, colon, name = source.rpartition(":")
    if not colon:
        raise DrawError(
            f"'{source}' is no source: use file.py:function, module:object or graph.json"
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    if isinstance(module, BaseException):
        raise DrawError(f"'{place}' raised {type(module).__name__} while it was loaded: {module}")
    thing = _named(module, name, place)
    return _of(thing, name, sizes, named(vars(module)))


def from_json(path: Path) -> Graph:
    """Return the graph in a file that `--dump-json` wrote."""
    try:
        return Graph.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DrawError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    except GraphError as error:
        raise DrawError(f"{path}: {error}") from error


def near(name: str, known: Any) -> str:
    """Return a hint for a name that is not known: the nearest ones, and all that there are."""
    names = [str(one) for one in known]
    best = difflib.get_close_matches(name, names, 1, 0.5)
    return (f". Did you mean '{best[0]}'?" if best else ".") + f" Known: {', '.join(names)}"


def _from_file(path: Path) -> ModuleType | BaseException:
    if not path.is_file():
        raise DrawError(f"no such file: {path}")
    spec = importlib.util.spec_from_file_location(f"drawn_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DrawError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever it raises is told, not shown as ours
        return error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _from_name(name: str) -> ModuleType | BaseException:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise DrawError(f"no module named '{name}'") from error
        return error
    except (Exception, SystemExit) as error:
        return error


def _named(module: ModuleType, name: str, place: str) -> Any:
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            public = (
                [n for n in vars(thing) if not n.startswith("_")]
                if hasattr(thing, "__dict__")
                else []
            )
            best = difflib.get_close_matches(part, public, 1, 0.5)
            hint = f". Did you mean '{best[0]}'?" if best else ""
            raise DrawError(f"'{place}' has no '{part}'{hint}")
        thing = getattr(thing, part)
    return thing


def _of(thing: Any, name: str, sizes: Sizes, names: dict[Any, str]) -> Found:
    if isinstance(thing, Graph):
        return thing, None
    if isinstance(thing, Tensor):
        return graph_of(check_result(thing, name), names, name), None
    if _is_layer(thing):
        return layer_graph(thing, name, sizes)
    if not callable(thing):
        check_result(thing, name)  # raises, saying what it is
    made = run(_call(thing, sizes))
    return graph_of_run(made, name, names)


def _call(function: Callable, sizes: Sizes) -> Callable[[], Any]:
    """Return the function without arguments: it gets the sizes that it asks for by name."""
    try:
        asked = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return function
    given = {}
    for one in asked:
        if hasattr(sizes, one.name):
            given[one.name] = getattr(sizes, one.name)
        elif one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            known = ", ".join(Sizes.__dataclass_fields__)
            raise DrawError(
                f"'{getattr(function, '__name__', function)}' needs an argument '{one.name}'; "
                f"a drawn function may ask for: {known}"
            )
    if given:
        check_sizes(sizes)
    return _Named(function, given) if given else function


class _Named:
    """A call with arguments that still shows the code it runs, for the names of its variables."""

    def __init__(self, function: Callable, given: dict[str, Any]) -> None:
        self.function, self.given = function, given
        self.__code__ = getattr(function, "__code__", None)

    def __call__(self) -> Any:
        return self.function(**self.given)


def _is_layer(thing: Any) -> bool:
    from ...nn import Cell, Recurrent

    kinds = (Cell, Recurrent)
    return isinstance(thing, kinds) or (isinstance(thing, type) and issubclass(thing, kinds))


def layer_graph(thing: Any, name: str, sizes: Sizes | None = None) -> Found:
    """Return the graph of a layer or cell of the library, or derived from one, over random data."""
    from ...nn import Cell, Recurrent

    sizes = sizes or Sizes()
    check_sizes(sizes)
    layer = thing(sizes.input, sizes.hidden, seed=sizes.seed) if isinstance(thing, type) else thing
    layer = Recurrent(layer) if isinstance(layer, Cell) else layer
    random = np.random.default_rng(sizes.seed)
    size = (sizes.steps, sizes.batch, layer.input_size)
    weights = [value for _, value in layer.named_tensors()]  # frozen ones, too; CTC's α has none
    dtype = weights[0].dtype if weights else np.float64
    x = tensor(random.normal(size=size).astype(dtype), name="x")

    def forward() -> Tensor:
        output = layer(x)[0]
        return (output * output).sum()

    names = named({"layer": layer})
    return graph_of_run(run(forward), _title(name, sizes), names)
