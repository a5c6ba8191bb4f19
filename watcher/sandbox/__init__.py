"""Private test chains on this machine: finds, installs and runs the nodes that the sandbox and the tests use.

Knows node programs and test coins; must know nothing of invoices, and the daemon never needs it.
"""
