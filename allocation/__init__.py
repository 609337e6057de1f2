"""The equations of allocation as pure functions: numbers in, numbers out; no books, no telemetry, no clock.

`rule`, `menu`, `autonomy` and `cobb_douglas` need the standard library only, so that what serves requests may import them;
`routing`, `duals`, `columns`, `faces` and `clearing` work on arrays and import numpy and scipy.
"""
