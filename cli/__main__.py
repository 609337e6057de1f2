"""`python -m cli`: the same as `pigou`."""

from cli.main import main

main()
