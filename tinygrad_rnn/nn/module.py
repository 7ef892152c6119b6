"""Objects that hold parameters.

A Module is a plain class. Its parameters are found by walking its attributes: Tensors, other
Modules, and lists, tuples and dicts of them; names that begin with an underscore are private and
skipped. There is nothing to register. `state_dict` and `load_state_dict` use the names found on the
way, so a PyTorch dictionary fits as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..engine.aliases import leave
from ..engine.arrays import host
from ..engine.class_signature import ClassSignature, check_call
from ..engine.tensor import Tensor, assign, wrap


class LoadResult(NamedTuple):
    """What did not match in a load that was allowed to differ (strict=False)."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of everything with parameters; write `__init__` and `forward`."""

    training: bool = True
    __signature__ = ClassSignature()

    def __new__(cls, *args: Any, **options: Any) -> Any:
        check_call(cls, args, options)
        return object.__new__(cls)

    def __reduce_ex__(self, protocol: Any) -> Any:
        made: Any = super().__reduce_ex__(max(2, protocol))
        return object.__new__, *made[1:]  # a copy has no arguments to be checked

    def forward(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.forward(*args, **options)

    def named_members(self) -> Iterator[tuple[str, Any]]:
        """Each Tensor or Module held directly, with its name ("cells.0" for one in a list)."""
        for key, value in vars(self).items():
            if not key.startswith("_"):
                yield from _leaves(key, value)

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every Tensor of the model that is not a result, shared ones under each of their names."""
        for name, member in self.named_members():
            if isinstance(member, Module):
                yield from member.named_tensors(f"{prefix}{name}.")
            elif member.is_leaf:
                yield prefix + name, member

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and of all below it."""
        yield prefix, self
        for name, member in self.named_members():
            if isinstance(member, Module):
                yield from member.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(name, Tensor) of all that learns, each Tensor once even if shared."""
        seen: set[int] = set()
        for name, tensor in self.named_tensors():
            if tensor.requires_grad and id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def parameters(self) -> Iterator[Tensor]:
        return (tensor for _, tensor in self.named_parameters())

    def state_dict(self) -> dict[str, Any]:
        """Name → array of every Tensor, frozen ones too; what is learnt later does not change them.

        The arrays are read-only: `copy()` one to change it, and load the copy.
        """
        return {name: read_only(tensor._array) for name, tensor in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Take over arrays, NumPy's, PyTorch's or ours; all problems are reported at once.

        Nothing is loaded when anything is wrong: a half-loaded model would run and be silently bad.
        """
        own = dict(self.named_tensors())
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        errors = _key_errors(missing, unexpected) if strict else []
        arrays = {}
        for name in (name for name in own if name in state):  # the model's order, not a hash's
            array = host(state[name])
            arrays[name] = array
            errors += _array_errors(name, array, own[name])
        if errors:
            message = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{message}"
            )
        for name, array in arrays.items():
            assign(own[name], array)
        return LoadResult(missing, unexpected)

    def train(self, mode: bool = True) -> Module:
        """This module, with dropout and the like switched on, or off with mode=False."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        return self.train(False)

    def zero_grad(self) -> None:
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """This module, frozen or set free (a frozen Tensor leaves `parameters()`)."""
        for _, tensor in self.named_tensors():
            tensor.requires_grad_(requires_grad)
        return self

    def to(self, device: Any = None, dtype: Any = None) -> Module:
        """This module with every Tensor moved, the Tensors staying the same objects.

        Move before an optimiser is made: its state stays where the parameters were.
        """
        if device is not None and not isinstance(device, str):
            device, dtype = None, device
        for _, tensor in self.named_tensors():
            moved = wrap(tensor._array, None)
            moved = moved.to(device) if device is not None else moved
            moved = moved.to(dtype) if dtype is not None else moved
            replace(tensor, moved._array)
        return self

    def double(self) -> Module:
        return self.to(dtype=np.float64)

    def float(self) -> Module:
        return self.to(dtype=np.float32)

    def __repr__(self) -> str:
        sizes = {k: v for k, v in vars(self).items() if k[0] != "_" and type(v) in (int, str, bool)}
        told = ", ".join(f"{k}={v!r}" for k, v in sizes.items() if k != "training")
        count = sum(p._array.size for p in self.parameters())
        return f"<{type(self).__name__}({told}), {count} parameters>"

    def summary(self) -> str:
        """A table: shape, count and norm of each parameter, spectral radius of each square gate."""
        from .summary import summary

        return summary(self)


def replace(tensor: Tensor, array: Any) -> None:
    """Give a leaf Tensor another array, whatever its dtype and device; its gradient is dropped."""
    flag = tensor.requires_grad
    tensor.requires_grad_(False)
    tensor.grad = None
    leave(tensor)
    tensor._array = array
    tensor.requires_grad_(flag)


def read_only(array: Any) -> Any:
    """A view of an array that cannot be written; where there is no such thing, a copy."""
    if not isinstance(array, np.ndarray):
        return array.copy()
    view = array.view()
    view.flags.writeable = False
    return view


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (Tensor, Module)):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(f"{name}.{index}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)


def _key_errors(missing: list[str], unexpected: list[str]) -> list[str]:
    kinds = (("Missing", missing), ("Unexpected", unexpected))
    quoted = {kind: ", ".join(f'"{name}"' for name in names) for kind, names in kinds}
    return [f"{kind} key(s) in state_dict: {names}. " for kind, names in quoted.items() if names]


def _array_errors(name: str, array: np.ndarray, own: Tensor) -> list[str]:
    if array.dtype.kind not in "fiub":
        return [f"{name}: cannot take over an array of dtype {array.dtype}."]
    if array.shape == tuple(own.shape):
        return []
    return [
        f"size mismatch for {name}: copying a param with shape {array.shape} from checkpoint, "
        f"the shape in current model is {tuple(own.shape)}."
    ]
