# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Sends on a part of what it receives, as a delegated account (EIP-7702) may
"""
owner: immutable(address)
kept: immutable(uint256)


@deploy
def __init__(kept_: uint256):
    owner = msg.sender
    kept = kept_


@external
@payable
def __default__():
    raw_call(owner, b"", value=msg.value - kept)
