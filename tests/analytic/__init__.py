"""Back-propagation through time derived by hand, in plain NumPy, without the engine.

Each module derives one family in the notation of the lecture notes and then writes it down:
`vanilla`, `gru`, `lstm`, `peephole` are one step each (forward and backward), `unrolled` is the
sum over time that they share, `deep`, `bidirectional`, `truncated` and `masked` are the chain rule
around it. `losses` holds the three losses of the notes. Each `forward_backward` returns the loss
and a dictionary with the gradient of every parameter, of the input `x`, and of the initial state.

The tests hold these against central finite differences first, and then the engine against these.
"""
