"""The equations of allocation as pure functions: numbers in, numbers out; no books, no telemetry, no clock.

`rule`, `menu`, `autonomy` and `cobb_douglas` need the standard library only, so that what serves requests may import them;
`routing`, `duals`, `columns`, `faces`, `moves` and `clearing` work on arrays and import numpy and scipy.
"""

METHOD = "2"
"""How the prices of a period are solved; what was kept of one that was solved otherwise cannot be solved again. 1: effects of a
task's decisions were added up."""
