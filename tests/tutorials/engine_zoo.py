"""Engines with one fault each: the teacher's, with one place of its text changed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

HEALTHY = (Path(__file__).parent / "teachers_engine.py").read_text(encoding="utf-8")
RECURSIVE = """    order, seen = [], set()
    def walk(node):
        if node not in seen:
            seen.add(node)
            for p in node.parents:
                walk(p)
            order.append(node)
    walk(root)
    return order
"""
STACK = HEALTHY[HEALTHY.index("    order, seen, stack") : HEALTHY.index("def unbroadcast")]
SWEEP = HEALTHY[HEALTHY.index("        grads = {self") : HEALTHY.index("    def __add__")]
STATEFUL = """        SEED
        for node in in_order(self)[::-1]:
            for parent, share in zip(node.parents, node.rule(node.grad) if node.rule else ()):
                share = unbroadcast(share, parent.data.shape)
                parent.grad = share if parent.grad is None else parent.grad + share

"""
SEEDED = STATEFUL.replace("SEED", "self.grad = np.ones_like(self.data)")
FRESH = STATEFUL.replace("SEED", """for node in in_order(self):
            node.grad = None
        self.grad = np.ones_like(self.data)""")  # fmt: skip
ACCUMULATE = "grads[parent] + share if parent in grads else share"
PER_PATH = """        def send(node, g):
            if node.rule is None:
                node.grad = g.copy() if node.grad is None else node.grad + g
            else:
                for parent, share in zip(node.parents, node.rule(g)):
                    send(parent, unbroadcast(share, parent.data.shape))
        send(self, np.ones_like(self.data))

"""
DEPTH_FIRST = """    order, seen, stack = [], set(), [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            order.insert(0, node)
            stack += node.parents
    return order


"""
BREADTH_FIRST = DEPTH_FIRST.replace("stack.pop()", "stack.pop(0)")
PER_VISIT = """    visits, stack = [], [root]
    while stack:
        visits.append(stack.pop())
        stack += visits[-1].parents
    return list(dict.fromkeys(visits[::-1]))


"""
IN_PLACE = ("parent.grad = share if parent.grad is None else parent.grad + share",
            "parent.grad = add_in_place(parent.grad, share)")  # fmt: skip
NO_COPY = ("    g = g.sum(tuple(range(g.ndim - len(shape))))\n", """    if g.shape == shape:
        return g
    g = g.sum(tuple(range(g.ndim - len(shape))))
""", "def swapped(x):", """def add_in_place(grad, share):
    if grad is None:
        return share if share.flags.writeable else share.copy()
    grad += share
    return grad


def swapped(x):""")  # fmt: skip

# Each row: the kit's name for it, what stands in the healthy engine, what stands there instead.
# fmt: off
FAULTS = [
    # one operation
    ("add", "lambda g: (g, g))", "lambda g: (g, 0 * g))"),
    ("mul", "(g * b, g * a)", "(g * a, g * b)"),
    ("sub", "__sub__ = lambda self, other: self + -value_like(other, self)",
     "__sub__ = lambda self, other: Value(self.data - value_like(other, self).data, "
     "(self, value_like(other, self)), lambda g: (g, g))"),
    ("neg", "__neg__ = lambda self: self * -1",
     "__neg__ = lambda self: Value(-self.data, (self,), lambda g: (g,))"),
    ("div", "self * value_like(other, self) ** -1", "self * value_like(other, self) ** -2"),
    ("div", "__truediv__ = lambda self, other: self * value_like(other, self) ** -1",
     "__truediv__ = lambda self, other: Value(self.data / value_like(other, self).data, "
     "(self, value_like(other, self)), lambda g: (g / value_like(other, self).data, "
     "-g / value_like(other, self).data))"),
    ("pow", "n * a ** (n - 1)", "a ** (n - 1)"),
    ("pow", "n * a ** (n - 1)", "n * a**n"),
    ("pow", "n * a ** (n - 1)", "n * a**n / a"),
    ("pow", "Value(a**n,", "Value(np.exp(n * np.log(a)),"),
    ("exp", "(g * y,))\n\n    def log", "(g * y * y,))\n\n    def log"),
    ("log", "(g / a,)", "(g / np.log(a),)"),
    ("tanh", "(1 - y * y)", "(1 - y)"),
    ("tanh", "(1 - y * y)", "(1 - self.data**2)"),
    ("relu", "lambda g: (g * positive,)", "lambda g: (g * self.data,)"),
    ("relu", "lambda g: (g * positive,)", "lambda g: (g,)"),
    ("a number at the left", "value_like(other, self) - self", "self - value_like(other, self)"),
    ("a number at the left", "value_like(other, self) / self", "self / other"),
    ("a number at the left", "    __radd__ = __add__\n", ""),
    ("sub", "self + -value_like(other, self)", "self + -other * 1 if not isinstance(other, int) else self + other"),
    ("chain rule", "lambda g: (g * (1 - y * y),)", "lambda g: (1 - y * y,)"),
    ("chain rule", "lambda g: (g / a,)", "lambda g: (1 / a,)"),
    ("chain rule", "(g * b, g * a)", "(b, a)"),
    ("overflow", "np.tanh(self.data)",
     "(np.exp(self.data) - np.exp(-self.data)) / (np.exp(self.data) + np.exp(-self.data))"),
    # graphs
    ("overwrite for accumulate", ACCUMULATE, "share"),
    ("depth first for topological order", STACK, DEPTH_FIRST),
    ("depth first for topological order", STACK, BREADTH_FIRST),
    ("a number at the right", "x if isinstance(x, Value) else Value(np.asarray(x, other.data.dtype))", "x if isinstance(x, Value) else Value(np.asarray(x, other.data.dtype), (other,), lambda g: (g,))"),
    # arrays
    ("sum", "lambda g: (spread(g),)", "lambda g: (spread(g) / a.size,)"),
    ("elementwise", "(1 - y * y)", "(1 - y.mean() * y)"),
    ("no unbroadcast", "                share = unbroadcast(share, parent.data.shape)\n", ""),
    ("no unbroadcast", "    g = g.sum(tuple(range(g.ndim - len(shape))))\n", ""),
    ("no unbroadcast", "    g = g.sum(tuple(range(g.ndim - len(shape))))",
     "    g = g.mean(tuple(range(g.ndim - len(shape))))"),
    ("no unbroadcast of an axis of length 1",
     "    return g.sum(stretched, keepdims=True) if stretched else g\n", "    return g\n"),
    ("no unbroadcast of an axis of length 1", "g.sum(stretched, keepdims=True)", "g.sum(stretched)"),
    ("a constant array", "    __array_ufunc__ = None  # array * value asks the value\n", ""),
    ("sum over an axis", "np.expand_dims(g, axis)", "g"),
    ("sum over an axis", "np.expand_dims(g, axis)", "np.expand_dims(g, 0)"),
    ("sum over an axis", "np.expand_dims(g, axis)", "np.expand_dims(g, -1)"),
    ("sum that keeps its axis", "if axis is None or keepdims else", "if axis is None else"),
    ("mean", "total * (total.data.size / self.data.size)", "total * (1 / len(self.data))"),
    ("mean", "total * (total.data.size / self.data.size)", "total * (1 / self.data.size)"),
    ("max", "share = (a == y) /", "share = (a >= 0) * (a == a) /"),
    ("max of equal entries", "(a == y) / (a == y).sum(axis=axis, keepdims=True)",
     "(a == y) * 1.0"),
    ("matmul", "(g @ swapped(b), swapped(a) @ g)", "(g @ swapped(b), swapped(swapped(g) @ swapped(a)))"),
    ("matmul", "(g @ swapped(b), swapped(a) @ g)", "(g @ b, a @ g)"),
    ("matmul with a vector", "(self.reshape((1, -1)) @ other)[..., 0, :]", "(self.reshape((-1, 1)) @ other)[..., 0, :]"),
    ("matmul of a batch", "x.swapaxes(-1, -2)", "x.T"),
    ("reshape", "lambda g: (g.reshape(a.shape),)", "lambda g: (g.reshape(a.shape, order='F'),)"),
    ("transpose", "g.transpose(np.argsort(axes))", "g.reshape(self.data.shape)"),
    ("wrong inverse permutation", "g.transpose(np.argsort(axes))", "g.transpose(axes)"),
    ("indexing", "share = np.zeros_like(a)", "share = np.ones_like(a)"),
    ("indexing", "            np.add.at(share, index, g)\n", "            share[:len(g) if g.ndim else 1] = g\n"),
    ("duplicate indices", "np.add.at(share, index, g)", "share[index] = g"),
    ("duplicate indices", "np.add.at(share, index, g)", "share[index] += g"),
    ("entries taken one by one", "            share = np.zeros_like(a)\n",
     "            share = vars(self).setdefault('share', np.zeros_like(a))\n"),
    ("concat", "np.cumsum([p.data.shape[axis] for p in parts])[:-1]", "len(parts)"),
    ("concat", "lambda g: np.split(g, ends, axis))", "lambda g: np.split(g, ends, axis)[::-1])"),
    ("concat of one value twice", "tuple(parts),", "tuple(dict.fromkeys(parts)),"),
    ("back-propagation through time", "in_order(self)[::-1]:", "in_order(self)[:-30:-1]:"),
    # habits
    ("in-place aliasing", SWEEP, FRESH.replace(*IN_PLACE), *NO_COPY),
    ("second backward", SWEEP, SEEDED),
    ("changed inputs", "data = np.array(data)", "data = np.asarray(data)",
     "                continue\n", "                node.data -= g if g.ndim else 0\n                continue\n"),
    ("gradients that share memory", SWEEP, FRESH, *NO_COPY),
    ("a source changed later", "data = np.array(data)", "data = np.asarray(data)"),
    ("float drift", "np.asarray(x, other.data.dtype)", "np.asarray(x, float)"),
    ("float drift", 'data if data.dtype.kind == "f" else data.astype(float)', "data.astype(float)"),
    ("float drift", "np.ones_like(self.data)}", "np.ones(self.data.shape)}"),
    ("gradients cut to whole numbers",
     'data if data.dtype.kind == "f" else data.astype(float)', "data"),
    ("recursion depth", STACK, RECURSIVE + "\n\n"),
    ("recursion depth", SWEEP, PER_PATH),
    ("a value walked once per path", STACK, PER_VISIT),
]
# fmt: on


def planted(*places: str) -> str:
    """Return the healthy engine's text with each old place become the new."""
    text = HEALTHY
    for old, new in zip(places[::2], places[1::2]):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def engine(text: str) -> ModuleType:
    """Return the engine that a text is."""
    made = ModuleType("an engine")
    exec(compile(text, "an engine", "exec"), vars(made))
    return made
