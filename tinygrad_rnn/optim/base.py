"""Share parameter groups, the step and the saved state; all optimisers of `optim` inherit it.

`step()` gives every parameter a new array; no array is written into, so graphs that are still alive
stay right. `state_dict()` is plain numbers and arrays, and a run that is saved and loaded goes on
bit for bit as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..engine.arrays import to_numpy
from ..engine.class_signature import CheckedCall
from ..engine.options import real, shown, whole
from ..engine.shared_memory import rebind
from ..engine.tensor import Tensor, wrap
from .hyperparameters import checked, refuse_unknown

Array = Any
Groups = list[dict[str, Any]]
TORCH_ONLY = ("foreach", "fused", "capturable", "differentiable", "initial_lr")


class Optimizer(CheckedCall):
    """Base of optimisers: write `update(array, gradient, state, group)`, the new array.

    `state[group, index]` is what the optimiser keeps for the parameter at that place of
    `param_groups`. Places, unlike identities, mean the same in a copy or after unpickling.
    `keeps` names the entries of a state, `lasting` those that every step leaves, `numbers` those
    that are one number; `decoupled` is True if weights decay apart from gradients.
    """

    keeps: tuple[str, ...] | None = None  # None: any
    lasting: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    decoupled = False

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        self.defaults = checked(self, defaults)
        groups = self._groups_of(params)
        self.param_groups: Groups = []
        self.state: dict[tuple[int, int], dict[str, Any]] = {}
        for group in groups:
            self.add_param_group(group)

    def _groups_of(self, params: Any) -> list[Any]:
        if isinstance(params, (Tensor, dict, str)) or not isinstance(params, Iterable):
            cure = "params must be a list of Tensors, such as model.parameters(), or of groups"
            raise TypeError(f"{type(self).__name__}: {cure}; got {shown(params)}")
        given = list(params)
        if not given:
            raise ValueError(f"{type(self).__name__}: optimizer got an empty parameter list")
        return given if isinstance(given[0], dict) else [{"params": given}]

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters with options of their own: {"params": […], "lr": 0.01}."""
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"{type(self).__name__}: a group is a dict with params, got {group!r}")
        refuse_unknown(self, group, self.defaults)
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        seen = {id(p) for p in self.parameters()}
        for p in params:
            self._check_parameter(p, seen)
            seen.add(id(p))
        options = {key: value for key, value in group.items() if key != "params"}
        self.param_groups.append(checked(self, {**self.defaults, **options}) | {"params": params})

    def _check_parameter(self, p: Any, seen: set[int]) -> None:
        name = type(self).__name__
        if not isinstance(p, Tensor):
            got = shown(p)
            raise TypeError(f"{name} can only optimize Tensors, but one of the params is {got}")
        if not p.is_leaf or not p.requires_grad:
            bad = "a non-leaf Tensor" if not p.is_leaf else "a Tensor without requires_grad"
            called = p.name or f"of shape {tuple(p.shape)}"
            raise ValueError(f"{name}: can't optimize {bad} ({called})")
        if id(p) in seen:
            raise ValueError(f"{name}: parameter {p.name or tuple(p.shape)} appears more than once")

    def parameters(self) -> list[Tensor]:
        """Return all parameters, group by group."""
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every gradient, or set it to 0."""
        for p in self.parameters():
            gone = set_to_none or p.grad is None
            p.grad = None if gone else wrap(p.xp.zeros(p.shape, p.dtype), None)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; return the closure's loss, if one is given."""
        loss = closure() if closure is not None else None
        for k, group in enumerate(self.param_groups):
            for index, p in enumerate(group["params"]):
                if p.grad is None:
                    continue
                state = self.state.setdefault((k, index), {})
                state["step"] = state.get("step", 0) + 1
                new = self.update(p._array, p.grad._array, state, group)
                rebind(p, new.astype(p.dtype, copy=False))
        return loss

    def update(self, p: Array, g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
        """Return the parameter's new array; keep what the next step needs in `state`."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    # Saving and loading
    def places(self) -> list[tuple[int, int]]:
        """Return (group, index) of every parameter, in the order of `parameters()`."""
        sizes = [len(group["params"]) for group in self.param_groups]
        return [(k, index) for k, size in enumerate(sizes) for index in range(size)]

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": {number: …}, "param_groups": […]}: numbers and arrays only."""
        number = {place: k for k, place in enumerate(self.places())}
        groups = [
            {**group, "params": [number[k, index] for index in range(len(group["params"]))]}
            for k, group in enumerate(self.param_groups)
        ]
        state = {number[place]: dict(entry) for place, entry in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken.

        Options are checked as the constructor checks them; nothing changes if anything is wrong.
        """
        if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= saved.keys():
            got = sorted(map(str, saved)) if isinstance(saved, Mapping) else shown(saved)
            raise ValueError(
                f"{type(self).__name__}: a state dict has state and param_groups, got {got}"
            )
        for group in saved["param_groups"]:
            if not isinstance(group, Mapping) or not isinstance(group.get("params"), list):
                told = f"a saved group is a dict with a list of params, got {shown(group)}"
                raise ValueError(f"{type(self).__name__}: {told}")
        groups = [self._loaded_group(group) for group in saved["param_groups"]]
        sizes = [len(group["params"]) for group in saved["param_groups"]]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            told = f"groups of {sizes} parameters saved, this optimizer has {own}"
            raise ValueError(f"{type(self).__name__}: different parameter groups: {told}")
        state = dict(self._loaded_entry(k, entry) for k, entry in saved["state"].items())
        for group, options in zip(self.param_groups, groups, strict=True):
            group.update(options)
        self.state = state

    def _loaded_group(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return a saved group's options, checked; how PyTorch runs its loops is left out."""
        options = {k: v for k, v in group.items() if k != "params" and k not in TORCH_ONLY}
        if options.pop("decoupled_weight_decay", self.decoupled) != self.decoupled:
            raise ValueError(f"{type(self).__name__}: the saved weight decay is of another kind")
        refuse_unknown(self, options, self.defaults)
        if missing := self.defaults.keys() - options.keys():
            told = f"{type(self).__name__}: the saved group lacks {', '.join(sorted(missing))}"
            raise ValueError(f"{told}; it may be of another optimizer")
        return checked(self, options)

    def _loaded_entry(self, number: Any, saved: Mapping[str, Any]) -> tuple[tuple[int, int], dict]:
        """Return (place, state) of one parameter, its arrays on the parameter's device."""
        places, where = self.places(), f"{type(self).__name__}: state of parameter {number}"
        if not str(number).isdigit() or int(number) >= len(places):
            raise ValueError(f"{where}: this optimizer has parameters 0 to {len(places) - 1}")
        if not isinstance(saved, Mapping):
            raise ValueError(f"{where} must be a dict, got {shown(saved)}")
        p, entry = self.parameters()[int(number)], {k: v for k, v in saved.items() if v is not None}
        known = entry.keys() if self.keeps is None else {"step", *self.keeps}
        if wrong := entry.keys() - known:
            raise ValueError(f"{where}: {', '.join(map(repr, sorted(wrong)))} is not kept here")
        needed = ("step", *self.lasting) if self.lasting else ()
        if lost := [name for name in needed if name not in entry]:
            raise ValueError(f"{where}: lacks {', '.join(lost)}")
        for name, value in entry.items():
            if name == "step":
                entry[name] = counted(where, value)
            elif name in self.numbers:
                entry[name] = real(where, name, value)
            elif hasattr(value, "shape") or isinstance(value, list) or self.keeps is not None:
                entry[name] = self._loaded_array(f"{where}: {name!r}", value, p)
        return places[int(number)], entry

    @staticmethod
    def _loaded_array(where: str, value: Any, p: Tensor) -> Array:
        array = value if type(value) is type(p._array) else p.xp.asarray(to_numpy(value))
        if tuple(array.shape) != tuple(p.shape) or array.dtype.kind not in "fiu":
            own = f"the parameter is {tuple(p.shape)} {p.dtype}"
            raise ValueError(f"{where}: {tuple(array.shape)} {array.dtype} saved, {own}")
        return array.astype(p.dtype, copy=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if any(not isinstance(place, tuple) for place in state["state"]):
            why = "pickled by an earlier version, whose state cannot be matched with parameters"
            raise ValueError(f"{type(self).__name__}: {why}; load its state_dict() instead")
        vars(self).update(state)

    def __repr__(self) -> str:
        lines = [self._told(group) for group in self.param_groups]
        if len(lines) == 1:
            return f"{type(self).__name__}({lines[0]})"
        inside = "".join(f"\n  group {k}: {line}" for k, line in enumerate(lines))
        return f"{type(self).__name__}({inside}\n)"

    def _told(self, group: dict[str, Any]) -> str:
        options = ", ".join(f"{k}={v!r}" for k, v in group.items() if k != "params")
        count = sum(p._array.size for p in group["params"])
        return f"{options}; {len(group['params'])} Tensors, {count} numbers"


def counted(where: str, steps: Any) -> int:
    """Return a saved number of steps, which PyTorch keeps as a Tensor of one float."""
    if hasattr(steps, "item") and steps.shape == () and float(steps).is_integer():
        steps = int(steps)
    return whole(where, "step", steps, 0)
