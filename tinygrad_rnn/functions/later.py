"""Attach to Tensor methods whose module loads when one is first touched; `methods` calls it.

Few programs need all: loading these modules at once would make `import tinygrad_rnn` a third
slower. The package offers the functions of the same modules by the same table.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..engine.tensor import Tensor

IN_PLACE = """acosh asinh atanh arccos arcsin arctan arctan2 arccosh arcsinh arctanh absolute
negative sgn fix frac logit sinc rad2deg deg2rad addcdiv addcmul addmm addmv addr
addbmm baddbmm clamp_min clamp_max copysign nan_to_num float_power floor_divide
true_divide divide multiply subtract bitwise_and bitwise_or bitwise_xor bitwise_not
bitwise_left_shift bitwise_right_shift gcd lcm heaviside eq ne lt le gt ge greater
greater_equal less less_equal not_equal index_fill index_copy masked_scatter
scatter_reduce""".split()
BOTH = {  # module: functions that are methods too
    "arrangements": """tensor_split hsplit vsplit dsplit rot90 fliplr flipud diag_embed diagflat
take index_fill index_copy masked_scatter select_scatter slice_scatter diagonal_scatter is_nonzero
is_same_size""",
    "comparison": "isclose allclose nan_to_num copysign nonzero unique",
    "entries": """acosh arccosh positive frac logit sinc rad2deg deg2rad logaddexp2 fmax fmin
heaviside signbit isposinf isneginf isreal is_complex bitwise_and bitwise_or bitwise_xor
bitwise_not bitwise_left_shift bitwise_right_shift gcd lcm hardshrink prelu""",
    "order_statistics": """kthvalue median nanmedian mode quantile nansum nanmean aminmax
count_nonzero cummin logcumsumexp diff dist cov corrcoef bincount histc msort unique_consecutive
argwhere""",
    "products": """mm bmm mv dot addmm outer inner tensordot addmv addr addbmm baddbmm vdot kron
cross matrix_power ger""",
    "sampling": "bernoulli multinomial",
}
METHODS = {  # … and what is a method alone
    "arrangements": "reshape_as sum_to_size",
    "entries": " ".join(f"{name}_" for name in IN_PLACE),
    "order_statistics": "trace",
}
FUNCTIONS = {  # … and what is none
    "arrangements": """broadcast_shapes broadcast_tensors meshgrid cartesian_prod combinations
block_diag atleast_1d atleast_2d atleast_3d column_stack dstack tril_indices triu_indices vander
unravel_index logspace scalar_tensor""",
    "comparison": "is_tensor",
    "entries": "selu celu softshrink hardswish threshold gumbel_softmax result_type",
    "order_statistics": "trapezoid trapz cumulative_trapezoid searchsorted bucketize isin",
    "products": "bilinear cdist chain_matmul einsum pairwise_distance pdist",
    "random": "Generator",
    "sampling": "initial_seed manual_seed normal rand rand_like randint randn randn_like randperm",
}
HOMES = {  # function: its module
    name: home for table in (BOTH, FUNCTIONS) for home, names in table.items()
    for name in names.split()
}  # fmt: skip


class Later:
    """A method to be loaded: touched, it loads its module, which attaches the real one."""

    __slots__ = ("home", "name")

    def __init__(self, home: str, name: str):
        self.home, self.name = home, name

    def __get__(self, x: Tensor | None, kind: Any = None) -> Any:
        import_module(f".{self.home}", __package__)
        return getattr(Tensor if x is None else x, self.name)


def promise() -> None:
    """Give Tensor all these methods, each to be loaded when it is touched."""
    for table in (BOTH, METHODS):
        for home, names in table.items():
            for name in names.split():
                setattr(Tensor, name, Later(home, name))


def attach(namespace: dict[str, Any]) -> None:
    """Give Tensor the methods of a module, whose namespace this is, in place of the promises."""
    home = namespace["__name__"].rpartition(".")[2]
    for name in f"{BOTH[home]} {METHODS.get(home, '')}".split():
        if name in namespace:
            setattr(Tensor, name, namespace[name])
