"""Effects of one option against another, with their uncertainty: arrays in, estimates out; no database, no clock.

`propensity` (logged) and `observational` (estimated) each make `Scores`; `scores.contrast` turns scores into an `Estimate`;
`regret`, `latency` and `pooling` build on it. `risk`, `tails` and `production` have estimators of their own. What each answers,
and how it fails, is told in docs/methods.md.
"""
