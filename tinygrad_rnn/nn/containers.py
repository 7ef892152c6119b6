"""Hold modules in lists and dictionaries under PyTorch's names, for programs.

A plain list or dict on a Module serves as well: parameters are found by walking attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..engine.options import unfit
from .module import Module


class ModuleList(Module):
    """Modules by number: `layers[0]`, loops, `append`."""

    def __init__(self, modules: Iterable[Module] = ()):
        self._items: list[Module] = []
        self.extend(modules)

    def named_members(self) -> Iterator[tuple[str, Any]]:
        return ((str(k), module) for k, module in enumerate(self._items))

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; return this list."""
        self._items.append(_module(self, module))
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end; return this list."""
        if isinstance(modules, str) or not isinstance(modules, Iterable):
            raise unfit(self, "modules", "a list of Modules", modules, TypeError)
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module in front of the one at `index`."""
        self._items.insert(index, _module(self, module))

    def __getitem__(self, index: Any) -> Any:
        found = self._items[index]
        return ModuleList(found) if isinstance(index, slice) else found

    def __setitem__(self, index: int, module: Module) -> None:
        self._items[index] = _module(self, module)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class ModuleDict(Module):
    """Modules by name: `heads["tag"]`."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()):
        self._items: dict[str, Module] = {}
        self.update(modules)

    def named_members(self) -> Iterator[tuple[str, Any]]:
        return iter(self._items.items())

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Take over modules by name."""
        try:
            named = dict(modules)
        except (TypeError, ValueError):
            raise unfit(self, "modules", "a dict of Modules", modules, TypeError) from None
        for name, module in named.items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        return self._items[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self._items[name] = _module(self, module)

    def __delitem__(self, name: str) -> None:
        del self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> Any:
        """Return the names."""
        return self._items.keys()

    def values(self) -> Any:
        """Return the modules."""
        return self._items.values()

    def items(self) -> Any:
        """Return pairs of name and module."""
        return self._items.items()


def _module(owner: Module, value: Any) -> Module:
    if not isinstance(value, Module):
        raise TypeError(f"{type(owner).__name__} holds Modules, got a {type(value).__name__}")
    return value
