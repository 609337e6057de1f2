"""The `pigou` command: the only place that reads the environment and files."""
