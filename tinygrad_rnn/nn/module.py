"""Find, save, load and move parameters among attributes; all layers of `nn` inherit it.

A Module is a plain class. Its parameters are found by walking its attributes: Tensors, other
Modules, and lists, tuples and dicts of them; names that begin with an underscore are private and
skipped. What requires grad when `__init__` is done is a parameter, and stays one when it is frozen;
so is what is made by `Parameter`. Other Tensors to be saved are buffers: `register_buffer`. What a
forward leaves on `self` is neither. `state_dict` and `load_state_dict` use the names found on the
way, so a PyTorch dictionary fits as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..engine.arrays import is_device, to_numpy
from ..engine.class_signature import CheckedCall
from ..engine.conversion import Hook
from ..engine.misuse import renamed
from ..engine.options import floating
from ..engine.shared_memory import leave
from ..engine.tensor import Tensor, assign, leaf_of, wrap
from ..engine.upper import UPPER

PACKAGE = __name__.partition(".")[0]


class LoadResult(NamedTuple):
    """List what did not match in a load that was allowed to differ (strict=False)."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def Parameter(data: Any, requires_grad: bool = True) -> Tensor:
    """Return a Tensor that a Module counts among its parameters, whenever it is set there.

    >>> layer = Module()
    >>> layer.scale = Parameter([1.0], requires_grad=False)
    >>> list(layer.state_dict())
    ['scale']
    """
    new = Tensor(data, requires_grad=requires_grad)
    leaf_of(new).parameter = True
    return new


class ModuleClass(type):
    """Notes the parameters of a Module at the end of its construction."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        module = super().__call__(*args, **options)
        if isinstance(module, Module):
            module._parameters = dict.fromkeys(_learning(module))
        return module


class Module(CheckedCall, metaclass=ModuleClass):
    """Base of everything with parameters; write `__init__` and `forward`."""

    training: bool = True
    _parameters: Mapping[str, None] | None = None  # names, until construction ends all that learns
    _buffers: Mapping[str, bool] = MappingProxyType({})  # name → whether it is saved
    _hooks: dict | None = None  # what runs after a forward

    def forward(self, *args: Any, **options: Any) -> Any:
        """Return what the module computes; calling the module calls this."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **options: Any) -> Any:
        try:
            result = self.forward(*args, **options)
        except TypeError as error:
            again = self._renamed(error, args, options)
            if again is None:
                raise
        else:
            return result if self._hooks is None else self._hooked(args, result)
        return self(*again[0], **again[1])

    def _renamed(self, error: TypeError, args: tuple, options: dict) -> Any:
        """Return arguments under our names if the call, not what it runs, failed: `lstm(x,
        hx=state)`."""
        inside = error.__traceback__ and error.__traceback__.tb_next
        if not options or inside or not self.forward.__module__.startswith(PACKAGE):
            return None
        from inspect import signature

        return renamed(signature(self.forward), args, options)

    def _hooked(self, args: tuple, result: Any) -> Any:
        for hook in tuple((self._hooks or {}).values()):
            changed = hook(self, args, result)
            result = result if changed is None else changed
        return result

    def register_forward_hook(self, hook: Callable) -> Hook:
        """Have hook(module, inputs, output) called after each forward; it may give another output.

        >>> layer, seen = Module(), []
        >>> layer.forward = lambda x: x + 1
        >>> handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
        >>> layer(1), seen
        (2, [2])
        >>> handle.remove()
        """
        self._hooks = {} if self._hooks is None else self._hooks
        return Hook(self._hooks, hook)

    def named_members(self) -> Iterator[tuple[str, Any]]:
        """Yield each Tensor or Module held directly, by name ("cells.0" for one in a list)."""
        for key, value in vars(self).items():
            if not key.startswith("_"):
                yield from _leaves(key, value)

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter and saved buffer, shared ones under each of their names."""
        for name, member in self.named_members():
            if isinstance(member, Module):
                yield from member.named_tensors(f"{prefix}{name}.")
            elif member.is_leaf and (self._buffers.get(name) or self._is_parameter(name, member)):
                yield prefix + name, member

    def _is_parameter(self, name: str, tensor: Tensor) -> bool:
        if self._parameters is None:
            return name not in self._buffers and tensor.requires_grad
        return name in self._parameters or bool(tensor.node and tensor.node.parameter)

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield (name, Tensor) of all buffers, saved or not."""
        for name, member in self.named_members():
            if isinstance(member, Module):
                yield from member.named_buffers(f"{prefix}{name}.")
            elif name in self._buffers:
                yield prefix + name, member

    def buffers(self) -> Iterator[Tensor]:
        """Yield every buffer, once."""
        return (buffer for _, buffer in self.named_buffers())

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold a Tensor that does not learn: it moves with the module, and is saved if persistent.

        >>> layer = Module()
        >>> layer.register_buffer("mean", Tensor([0.0]))
        >>> list(layer.state_dict()), list(layer.parameters())
        (['mean'], [])
        """
        self._check_name("register_buffer", name, tensor)
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, tensor)

    def register_parameter(self, name: str, param: Tensor | None) -> None:
        """Hold a Tensor as a parameter, whenever this is called."""
        self._check_name("register_parameter", name, param)
        self._parameters = dict.fromkeys((*(self._parameters or _learning(self)), name))
        setattr(self, name, param)

    def _check_name(self, way: str, name: str, value: Any) -> None:
        if not isinstance(name, str) or not name or name[0] == "_" or "." in name:
            raise ValueError(f"{way}: a name without dots and leading underscore, not {name!r}")
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{way}: {name} must be a Tensor or None, not {type(value).__name__}")
        if hasattr(type(self), name):
            raise KeyError(f"{way}: {type(self).__name__} has an attribute {name!r} already")

    def add_module(self, name: str, module: Module | None) -> None:
        """Hold a module under a name, as `self.name = module` does."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: {name} must be a Module, not {type(module).__name__}")
        setattr(self, name, module)

    register_module = add_module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules held directly, each with its name."""
        return ((name, m) for name, m in self.named_members() if isinstance(m, Module))

    def children(self) -> Iterator[Module]:
        """Yield the modules held directly."""
        return (module for _, module in self.named_children())

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call a function with every module inside, the innermost first, then with this one."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (path, module) of this module and of all below it."""
        yield prefix, self
        for name, member in self.named_members():
            if isinstance(member, Module):
                yield from member.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Yield the module itself and all inside it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Yield (name, Tensor) of all that learns, each Tensor once even if shared."""
        seen: set[int] = set()
        for name, tensor in self.named_tensors():
            if tensor.requires_grad and id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def parameters(self) -> Iterator[Tensor]:
        """Yield every parameter, once."""
        return (tensor for _, tensor in self.named_parameters())

    def state_dict(self) -> dict[str, Any]:
        """Name → array of every Tensor, frozen ones too; what is learnt later does not change them.

        The arrays are read-only: `copy()` one to change it, and load the copy.
        """
        return {name: read_only(tensor._array) for name, tensor in self.named_tensors()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Take over arrays, NumPy's, PyTorch's or ours; all problems are reported at once.

        Nothing is loaded when anything is wrong: a half-loaded model would run and be silently bad.
        """
        own = dict(self.named_tensors())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        errors = _key_errors(missing, unexpected) if strict else []
        arrays = {}
        for name in (name for name in own if name in state_dict):  # the model's order, not a hash's
            array = to_numpy(state_dict[name])
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
        """Switch dropout and its like on, or off with mode=False; return this module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Leave training mode, as `train(False)` does."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with set_to_none=False they become zeros."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad.zero_()

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze this module or set it free (a frozen Tensor leaves `parameters()`); return it."""
        buffers = dict(self.named_buffers())
        for name, tensor in self.named_tensors():
            if name not in buffers:
                tensor.requires_grad_(requires_grad)
        return self

    def to(self, device: Any = None, dtype: Any = None) -> Module:
        """Move every Tensor of this module, the Tensors staying the same objects; return it.

        Move before an optimiser is made: its state stays where the parameters were.
        """
        if device is not None and not is_device(device):
            device, dtype = None, device if dtype is None else dtype
        if dtype is not None:
            words = 'a device such as "cpu" or "cuda", or a floating dtype such as "float32"'
            dtype = floating(self, "to", dtype, words)
        for tensor in {**dict(self.named_buffers()), **dict(self.named_tensors())}.values():
            moved = wrap(tensor._array, None)
            moved = moved.to(device) if device is not None else moved
            moved = moved.to(dtype) if dtype is not None and moved.dtype.kind == "f" else moved
            replace(tensor, moved._array)
        return self

    def double(self) -> Module:
        """Turn all parameters and buffers into float64."""
        return self.to(dtype=np.float64)

    def float(self) -> Module:
        """Turn all parameters and buffers into float32."""
        return self.to(dtype=np.float32)

    def cpu(self) -> Module:
        """Move all parameters and buffers to the CPU."""
        return self.to("cpu")

    def cuda(self) -> Module:
        """Move all parameters and buffers to the GPU."""
        return self.to("cuda")

    def half(self) -> Module:
        """Turn all parameters and buffers into float16."""
        return self.to(dtype=np.float16)

    def compile(self, backend: str = "auto", **options: Any) -> Any:
        """Compile the time loop of every recurrent layer inside; return this module.

        A recurrent layer itself returns a compiled twin; see `tinygrad_rnn.compile.compile`.
        """
        layers: list[Any] = [m for m in self.modules() if hasattr(m, "with_loop")]
        for layer in layers:
            layer.loop = layer.compile(backend, **options).loop
        return self

    def __repr__(self) -> str:
        from .shown import tree

        return tree(self)

    def extra_repr(self) -> str:
        """Return what stands in the brackets of the module's repr; override it to say more."""
        return ""

    def summary(self) -> str:
        """Return a table: shape, count and norm of each parameter, spectral radius of each square
        gate."""
        return UPPER("nn.summary").summary(self)


def replace(tensor: Tensor, array: Any) -> None:
    """Give a leaf Tensor another array, whatever its dtype and device; its gradient is dropped."""
    flag = tensor.requires_grad
    tensor.requires_grad_(False)
    tensor.grad = None
    leave(tensor)
    tensor._array = array
    tensor.requires_grad_(flag)


def weight_of(module: Module) -> Tensor | None:
    """Return one parameter of floats: its dtype is the one that the module computes in.

    Asked for in every call, so it looks at its own before it walks through the modules inside.
    """
    own = vars(module)
    for name in module._parameters or ():
        value = own.get(name)
        if value is not None and value._array.dtype.kind == "f":
            return value
    return next((t for _, t in module.named_tensors() if t.dtype.kind == "f"), None)


def check_dtype(module: Module, x: Any, weight: Tensor | None, whole: bool = False,
                what: str = "input") -> None:  # fmt: skip
    """Raise TypeError unless x is a Tensor of the weight's dtype, or of integers if `whole`.

    NumPy's numbers are float64: without this check a float32 model would run in float64, at half
    the speed, and nothing would say so.
    """
    if isinstance(x, Tensor):
        dtype = x._array.dtype
        if weight is None or dtype == weight._array.dtype or (whole and dtype.kind in "iu"):
            return
    raise TypeError(f"{type(module).__name__}: {_mismatch(x, weight, what)}")


CASTS = {"float16": "half()", "float32": "float()", "float64": "double()"}


def _mismatch(x: Any, weight: Tensor | None, what: str) -> str:
    name = what if what != "input" else "x"
    if not isinstance(x, Tensor):
        dtype = "" if weight is None else f", dtype={str(weight.dtype)!r}"
        return f"the {what} must be a Tensor, got {type(x).__name__}; use tensor({name}{dtype})"
    assert weight is not None
    other = f" or layer.{CASTS[str(x.dtype)]}" if x.dtype.kind == "f" else ""
    cure = f"{name}.{CASTS[str(weight.dtype)]}{other}"
    return f"the {what} is {x.dtype}, the parameters are {weight.dtype}; use {cure}"


def read_only(array: Any) -> Any:
    """Return a view of an array that cannot be written; where there is no such thing, a copy."""
    if not isinstance(array, np.ndarray):
        return array.copy()
    view = array.view()
    view.flags.writeable = False
    return view


def _learning(module: Module) -> Iterator[str]:
    """Return the names of the Tensors held directly that are parameters at this moment."""
    for name, member in module.named_members():
        own = isinstance(member, Tensor) and member.is_leaf and name not in module._buffers
        if own and (member.requires_grad or (member.node and member.node.parameter)):
            yield name


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
