# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that breaks every rule when asked to
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

decimals: public(constant(uint8)) = 6
balanceOf: public(HashMap[address, uint256])
TOPIC: constant(bytes32) = keccak256("Transfer(address,address,uint256)")


@external
def transfer(to: address, amount: uint256) -> bool:
    """Move nothing, log nothing, succeed."""
    return False


@external
def pay(to: address, logged: uint256, arrived: uint256):
    """Log one amount and credit another."""
    self.balanceOf[to] += arrived
    log Transfer(sender=msg.sender, receiver=to, value=logged)


@external
def pay_each(to: address, amounts: DynArray[uint256, 16]):
    for amount: uint256 in amounts:
        self.balanceOf[to] += amount
        log Transfer(sender=msg.sender, receiver=to, value=amount)


@external
def boomerang(to: address, amount: uint256, back: uint256):
    log Transfer(sender=msg.sender, receiver=to, value=amount)
    log Transfer(sender=to, receiver=msg.sender, value=back)


@external
def as_nft(to: address, number: uint256):
    raw_log([TOPIC, convert(msg.sender, bytes32), convert(to, bytes32), convert(number, bytes32)], b"")


@external
def unindexed(to: address, amount: uint256):
    raw_log([TOPIC], abi_encode(msg.sender, to, amount))


@external
def pay_then_revert(to: address, amount: uint256):
    log Transfer(sender=msg.sender, receiver=to, value=amount)
    raise "after all"
