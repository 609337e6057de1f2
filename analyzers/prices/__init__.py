"""The price vector: V, λ and ρ by class, as policy states them or solved as duals of budgets, SLAs and risk envelopes.

`period` loads what was, `alternatives` what could have been, `solve` finds the prices and their intervals, `vector` keeps their
history. What the prices mean is told in docs/price-vector.md.
"""
