# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Moves coin in every way that an account can be paid without a transaction of its own
"""


@external
@payable
def forward(to: address):
    digest: bytes32 = sha256(b"a precompiled contract comes first")
    raw_call(to, b"", value=msg.value)


@external
@payable
def nested(to: address):
    self._again(to, method_id("forward(address)"), True)


@external
@payable
def send_then_revert(to: address):
    raw_call(to, b"", value=msg.value)
    raise "after all"


@external
@payable
def attempt(to: address):
    self._again(to, method_id("send_then_revert(address)"), False)


@external
@payable
def destroy(to: address):
    made: address = raw_create(self._heir(to), value=msg.value)


@external
@payable
def create(code: Bytes[64], salt: bytes32):
    made: address = raw_create(code, value=msg.value, salt=salt)


@internal
@payable
def _again(to: address, method: Bytes[4], expected: bool):
    data: Bytes[36] = concat(method, convert(to, bytes32))
    assert expected == raw_call(self, data, value=msg.value, revert_on_failure=False)


@internal
def _heir(to: address) -> Bytes[22]:
    """PUSH20 to, SELFDESTRUCT: as creation code it leaves the value to another account."""
    return concat(b"\x73", convert(to, bytes20), b"\xff")


@external
@payable
def delegate(to: address):
    """Run another's code with one's own value: nothing goes to the other."""
    raw_call(to, b"", is_delegate_call=True)


@external
@payable
def thrice(to: address):
    for part: uint256 in range(3):
        raw_call(to, b"", value=msg.value // 3)


@external
def pay_out(to: address, amount: uint256):
    """Send what this contract already has."""
    raw_call(to, b"", value=amount)
