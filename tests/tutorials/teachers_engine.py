"""An engine in a hundred lines: the course's solution, and what the zoo's faults are planted in."""

import numpy as np


class Value:
    """An array and how it was made: its parents, and a rule from its gradient to theirs."""

    __array_ufunc__ = None  # array * value asks the value

    def __init__(self, data, parents=(), rule=None):
        data = np.array(data)
        self.data = data if data.dtype.kind == "f" else data.astype(float)
        self.parents, self.rule, self.grad = parents, rule, None

    def backward(self):
        grads = {self: np.ones_like(self.data)}
        for node in in_order(self)[::-1]:
            g = grads.pop(node)
            if node.rule is None:
                node.grad = g.copy() if node.grad is None else node.grad + g
                continue
            for parent, share in zip(node.parents, node.rule(g)):
                share = unbroadcast(share, parent.data.shape)
                grads[parent] = grads[parent] + share if parent in grads else share

    def __add__(self, other):
        other = value_like(other, self)
        return Value(self.data + other.data, (self, other), lambda g: (g, g))

    def __mul__(self, other):
        other = value_like(other, self)
        a, b = self.data, other.data
        return Value(a * b, (self, other), lambda g: (g * b, g * a))

    def __pow__(self, n):
        a = self.data
        return Value(a**n, (self,), lambda g: (g * (n * a ** (n - 1)),))

    def __matmul__(self, other):
        other = value_like(other, self)
        a, b = self.data, other.data
        if a.ndim == 1:
            return (
                (self.reshape((1, -1)) @ other)[..., 0, :] if b.ndim > 1 else (self * other).sum()
            )
        if b.ndim == 1:
            return (self @ other.reshape((-1, 1)))[..., 0]
        return Value(a @ b, (self, other), lambda g: (g @ swapped(b), swapped(a) @ g))

    __radd__ = __add__
    __rmul__ = __mul__
    __neg__ = lambda self: self * -1
    __sub__ = lambda self, other: self + -value_like(other, self)
    __rsub__ = lambda self, other: value_like(other, self) - self
    __truediv__ = lambda self, other: self * value_like(other, self) ** -1
    __rtruediv__ = lambda self, other: value_like(other, self) / self

    def exp(self):
        y = np.exp(self.data)
        return Value(y, (self,), lambda g: (g * y,))

    def log(self):
        a = self.data
        return Value(np.log(a), (self,), lambda g: (g / a,))

    def tanh(self):
        y = np.tanh(self.data)
        return Value(y, (self,), lambda g: (g * (1 - y * y),))

    def relu(self):
        positive = self.data > 0
        return Value(self.data * positive, (self,), lambda g: (g * positive,))

    def sum(self, axis=None, keepdims=False):
        a = self.data
        spread = lambda g: np.broadcast_to(put_back(g, axis, keepdims), a.shape)
        return Value(a.sum(axis=axis, keepdims=keepdims), (self,), lambda g: (spread(g),))

    def mean(self, axis=None, keepdims=False):
        total = self.sum(axis, keepdims)
        return total * (total.data.size / self.data.size)

    def max(self, axis=None):
        a, y = self.data, self.data.max(axis=axis, keepdims=True)
        share = (a == y) / (a == y).sum(axis=axis, keepdims=True)
        return (self * share).sum(axis)

    def reshape(self, shape):
        a = self.data
        return Value(a.reshape(shape), (self,), lambda g: (g.reshape(a.shape),))

    def transpose(self, axes):
        return Value(self.data.transpose(axes), (self,),
                     lambda g: (g.transpose(np.argsort(axes)),))  # fmt: skip

    def __getitem__(self, index):
        a = self.data

        def rule(g):
            share = np.zeros_like(a)
            np.add.at(share, index, g)
            return (share,)

        return Value(a[index], (self,), rule)


def concat(parts, axis=0):
    """Return the parts joined along an axis."""
    ends = np.cumsum([p.data.shape[axis] for p in parts])[:-1]
    return Value(np.concatenate([p.data for p in parts], axis), tuple(parts),
                 lambda g: np.split(g, ends, axis))  # fmt: skip


def value_like(x, other):
    """Return a value; a number takes the other's dtype."""
    return x if isinstance(x, Value) else Value(np.asarray(x, other.data.dtype))


def in_order(root):
    """Return the values that `root` was made from, parents first; a stack, no recursion."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(p, False) for p in node.parents]
    return order


def unbroadcast(g, shape):
    """Return the gradient summed over the axes along which an input of this shape was repeated."""
    g = g.sum(tuple(range(g.ndim - len(shape))))
    stretched = tuple(k for k, n in enumerate(shape) if n == 1)
    return g.sum(stretched, keepdims=True) if stretched else g


def put_back(g, axis, keepdims):
    """Return the gradient with the axis that was summed away."""
    return g if axis is None or keepdims else np.expand_dims(g, axis)


def swapped(x):
    return x.swapaxes(-1, -2)


def run(W_aa, W_ax, b_a, xs):
    a, states = Value(np.zeros((len(xs[0]), len(b_a.data)))), []
    for x in xs:
        a = (a @ W_aa.transpose((1, 0)) + value_like(x, b_a) @ W_ax.transpose((1, 0)) + b_a).tanh()
        states.append(a)
    return states


def step(parameters, rate):
    for p in parameters:
        p.data, p.grad = p.data - rate * p.grad, None
