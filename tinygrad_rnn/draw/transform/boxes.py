"""Fold calls to boxes, and blocks that repeat one after the other, for `views`.

`linear`, `cross_entropy` or `layer_norm` is one box until it is opened; so is a run of at least
three modules that are alike, with the number of them. What a library's cell does inside stays open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from ..graph import Call, Graph
from .fold import NOTHING, common_start, fold

REPEATED = 3  # fewer blocks are clearer one by one
Chain = tuple[Call, ...]


class BlockRun(NamedTuple):
    """Modules alike, each reading what the one before made: a name, and all their nodes."""

    name: str
    ids: tuple[int, ...]


def to_boxes(graph: Graph, keep: frozenset[int] = NOTHING) -> Graph:
    """Return the graph with a box per call of a function, and per run of blocks alike.

    The nodes of `keep` stay what they are. Modules that hold everything are no news and left out.
    """
    groups: dict[int, Hashable] = {}
    for node in graph.nodes:
        inside = node.place.cell is not None or node.id in keep
        if node.op and node.calls and not node.calls[-1][1] and not inside:
            groups[node.id] = node.calls
    if not any(node.calls for node in graph.nodes):
        return graph
    names = {calls: calls[-1][0] for calls in groups.values()}  # type: ignore[index]
    folded = _without_outermost(fold(graph, groups, names))
    runs = {i: run for run in _runs(folded) for i in run.ids} if not keep else {}
    return fold(folded, dict(runs), {run: run.name for run in runs.values()}) if runs else folded


def _without_outermost(graph: Graph) -> Graph:
    """Return the graph without the calls that made all operations but the loss, or one alone."""
    chains = [node.calls for node in graph.nodes if node.op]
    inner = [c for c in chains if c and c[0][1]]  # a loss, or a mean, stands outside of a model
    deep = len(common_start(inner)) if 2 * len(inner) > len(chains) else 0
    count = Counter(chain[:k] for chain in chains for k in range(1, len(chain) + 1))
    for place, node in enumerate(graph.nodes):
        kept = [k for k in range(len(node.calls), deep, -1) if count[node.calls[:k]] > 1]
        graph.nodes[place] = replace(node, calls=node.calls[deep : kept[0] if kept else deep])
    return graph


def _runs(graph: Graph) -> Iterator[BlockRun]:
    """Yield the runs of modules alike; of runs within runs the outer ones."""
    done: set[int] = set()
    blocks: dict[Chain, list[int]] = defaultdict(list)
    for node in graph.nodes:
        for deep in range(1, len(node.calls) + 1):
            if node.op and node.place.cell is None and node.calls[deep - 1][1]:
                blocks[node.calls[:deep]].append(node.id)
    kinds = {chain: (chain[:-1], _signature(graph, ids)) for chain, ids in blocks.items()}
    for chain in sorted(blocks, key=len):
        siblings = [other for other in blocks if len(other) == len(chain)]
        for _, alike in groupby(siblings, kinds.__getitem__):
            found = list(alike)
            ids = [i for other in found for i in blocks[other]]
            fresh = found[0] == chain and not done & set(ids)
            if fresh and len(found) >= REPEATED and _is_chain(graph, [blocks[c] for c in found]):
                done |= set(ids)
                yield BlockRun(f"{chain[-1][1]} ×{len(found)}", (*_own(graph, set(ids)), *ids))


def _signature(graph: Graph, ids: list[int]) -> Hashable:
    """Return what two blocks have in common if they are alike."""
    local = {i: k for k, i in enumerate(ids)}
    nodes = [graph.nodes[i] for i in ids]
    return tuple(
        (n.op, n.shape, *n.numbers.items(), *(local.get(p, -1) for p in n.parents if p is not None))
        for n in nodes
    )


def _is_chain(graph: Graph, blocks: list[list[int]]) -> bool:
    """Return whether each block after the first reads operations of the run alone."""
    inside = set(blocks[0])
    for ids in blocks[1:]:
        inside |= set(ids)
        read = {p for i in ids for p in graph.nodes[i].parents if p is not None}
        if any(graph.nodes[p].op and p not in inside for p in read):
            return False
    return True


def _own(graph: Graph, ids: set[int]) -> list[int]:
    """Return the parameters that only these nodes read."""
    users: dict[int, set[int]] = defaultdict(set)
    for parent, _, child in graph.edges():
        users[parent.id].add(child.id)
    return [i for i, read in users.items() if graph.nodes[i].role == "param" and read <= ids]
