"""The seven failure modes: each a module with its inequality, its estimator and its evidence (violations of eq. 1 or 2).

A mode looks at the books and answers what it found of every place it could judge, harmful or not; what becomes of that (a finding
opens, goes on, resolves) is decided by `analyzers/findings/`.
"""
