# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Multiplies all balances at once, without an event
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

decimals: public(constant(uint8)) = 6
percent: uint256
shares: HashMap[address, uint256]


@deploy
def __init__():
    self.percent = 100
    self.shares[msg.sender] = 10 ** 24


@view
@external
def balanceOf(owner: address) -> uint256:
    return self.shares[owner] * self.percent // 100


@external
def rebase(percent: uint256):
    self.percent = percent


@external
def transfer(to: address, amount: uint256) -> bool:
    moved: uint256 = amount * 100 // self.percent
    self.shares[msg.sender] -= moved
    self.shares[to] += moved
    log Transfer(sender=msg.sender, receiver=to, value=amount)
    return True
