# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Keeps a tenth of every transfer, and tells of the whole
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

decimals: public(constant(uint8)) = 6
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__():
    self.balanceOf[msg.sender] = 10 ** 24


@external
def transfer(to: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount - amount // 10
    log Transfer(sender=msg.sender, receiver=to, value=amount)
    return True
