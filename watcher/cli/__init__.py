"""The command line, a file per noun. Every command but `run`, `check` and `init` is a client of the HTTP API.

Heavy modules are imported inside the commands, so that help and mistakes are answered at once.
"""
