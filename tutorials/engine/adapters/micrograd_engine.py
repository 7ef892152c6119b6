"""Adapter of Andrej Karpathy's micrograd (pip install micrograd): scalars, with state."""

from micrograd.engine import Value

scalars = True
leaf = Value
backward = Value.backward


def value(v):
    return v.data


def grad(v):
    return v.grad
