# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Pays from inside a contract: coin and tokens, several times in one transaction
"""
from ethereum.ercs import IERC20


@external
@payable
def coin(to: address, amounts: DynArray[uint256, 16]):
    for amount: uint256 in amounts:
        raw_call(to, b"", value=amount)


@external
def tokens(token: IERC20, to: address, amounts: DynArray[uint256, 16]):
    for amount: uint256 in amounts:
        assert extcall token.transferFrom(msg.sender, to, amount)
