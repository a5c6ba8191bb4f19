# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Pays all that it holds: the same transaction pays another amount on another branch
"""


@external
@payable
def __default__():
    pass


@external
def sweep(to: address):
    raw_call(to, b"", value=self.balance)
