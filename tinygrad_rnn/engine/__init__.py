"""Record how arrays are made and walk that record back for gradients; `functions` builds on it.

It fits in one sitting, five files in this order:

1. `node`       how one value was made: its operation, its parents, what their rules will read
2. `tensor`     an array and the node that made it; `wrap` joins the two
3. `primitive`  one declaration: an operation on arrays, on Tensors, and its gradient rules
4. `ops`        the table of all primitives, each beside its rules
5. `backward`   the walk back, twelve lines; summing shares and undoing broadcasts beside it

The rest serves them: `accumulate` (sums and delayed products), `record` (traces, hooks, the NaN
watch), `letters` (rules that print themselves), `compute`, `dtypes`, `arrays` (which library),
`context` (modes, scopes), `conversion` (to NumPy and print), `arguments`, `misuse` and `errors`
(what is said), `freeing`. All import NumPy alone, and nothing of the floors above.
"""
