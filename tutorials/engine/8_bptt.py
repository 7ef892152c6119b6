"""Step 8: a recurrent network."""


def run(W_aa, W_ax, b_a, xs):
    """Return [a⟨1⟩, …, a⟨T⟩] of a⟨t⟩ = tanh(a⟨t−1⟩ W_aaᵀ + x⟨t⟩ W_axᵀ + b_a), a⟨0⟩ = 0.

    Each x⟨t⟩ is an array (samples, inputs), each a⟨t⟩ a Value (samples, units).
    """
    raise NotImplementedError


def step(parameters, rate):
    """Move each parameter against its gradient, and set the gradient to None."""
    raise NotImplementedError
