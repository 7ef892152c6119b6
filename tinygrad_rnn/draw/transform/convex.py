"""Keep groups that no path leaves and enters again, since only they fold; for `fold`."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..graph import topological_order

Link = tuple[Hashable, Hashable]


def convex(groups: Mapping[Any, Any], links: Iterable[Link]) -> set[Any]:
    """Return the groups that can be one node without a cycle; a node in none has group None.

    >>> sorted(convex({1: "a", 2: None, 3: "a", 4: "b", 5: "b"}, [(1, 2), (2, 3), (3, 4), (4, 5)]))
    ['b']
    """
    links = list(links)
    nodes = dict.fromkeys([node for link in links for node in link]) | dict.fromkeys(groups)
    bad: set[Hashable] = {None}
    while True:
        whole = {n: n if groups.get(n) in bad else ("group", groups[n]) for n in nodes}
        stuck = _on_cycles(whole, links)
        tied = {group for node, group in groups.items() if whole[node] in stuck} - bad
        if not tied:
            return set(groups.values()) - bad
        bad |= tied


def _on_cycles(whole: Mapping[Hashable, Hashable], links: list[Link]) -> set[Hashable]:
    """Return the contracted nodes that lie on a cycle or between two."""
    edges = {(whole[tail], whole[head]) for tail, head in links}
    edges = {(tail, head) for tail, head in edges if tail != head}
    left = set(whole.values()) - set(topological_order(dict.fromkeys(whole.values(), 0), edges))
    back = [(head, tail) for tail, head in edges if tail in left and head in left]
    return left - set(topological_order(dict.fromkeys(left, 0), back))
