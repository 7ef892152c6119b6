"""Record the public names of PyTorch that a program may type, by the place where it looks."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

from record import case


def record() -> list[dict[str, Any]]:
    """Return one case for each letter of each place: its functions, or its classes."""
    import torch
    from torch.overrides import get_overridable_functions

    known = get_overridable_functions()
    places: dict[str, list[str]] = {
        place: [f.__name__ for f in known[home] if hasattr(f, "__name__")]
        for place, home in {"torch": torch, "nn.functional": torch.nn.functional}.items()
    }
    places["Tensor"] = [n for n in dir(torch.Tensor) if callable(getattr(torch.Tensor, n))]
    classes = {"nn": torch.nn, "optim": torch.optim, "optim.lr_scheduler": torch.optim.lr_scheduler}
    for place, home in classes.items():
        own = [n for n, c in vars(home).items() if inspect.isclass(c) and c is not torch.Tensor]
        mine = place == "optim.lr_scheduler"
        places[place] = [n for n in own if not mine or place in vars(home)[n].__module__]
    places["nn.init"] = [n for n in dir(torch.nn.init) if n.endswith("_")]
    places["linalg"] = [n for n in dir(torch.linalg) if callable(getattr(torch.linalg, n))]
    found = []
    for place, names in places.items():
        public = sorted(n for n in set(names) if n[0] != "_")
        for letter, some in itertools.groupby(public, lambda n: n[0]):
            listed = list(some)
            arrays = {"count": [len(listed)]}
            found.append(case(place, {"letter": letter, "names": listed}, arrays))
    return found
