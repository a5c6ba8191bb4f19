# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token whose owner pauses it, blocks accounts and changes it, as behind a proxy
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

decimals: public(uint8)
paused: bool
silent: bool
blocked: HashMap[address, bool]
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__():
    self.decimals = 6
    self.balanceOf[msg.sender] = 10 ** 24


@external
def set(paused: bool, silent: bool, decimals: uint8):
    self.paused = paused
    self.silent = silent
    self.decimals = decimals


@external
def block_account(account: address):
    self.blocked[account] = True


@external
def seize(account: address):
    """Take all that an account has, without an event."""
    self.balanceOf[account] = 0


@external
def transfer(to: address, amount: uint256) -> bool:
    assert not self.paused and not self.blocked[to]
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[to] += amount
    if not self.silent:
        log Transfer(sender=msg.sender, receiver=to, value=amount)
    return True
