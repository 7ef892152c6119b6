"""The engine: a Tensor is an array plus how it was made; gradients walk that graph back.

Read in this order: `tensor` (Tensor, Node, Primitive), `ops` (every primitive beside its gradient
rules), `backward` (the walk). Imports NumPy alone, and nothing of the floors above.
"""
