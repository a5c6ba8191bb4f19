from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from nacl.signing import VerifyKey
from standardwebhooks import Webhook, WebhookVerificationError

from watcher import keypair, signing
from watcher.secret import Signature, fault, mismatch, new_secret, signature_of, unspoken

VECTOR = (
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    datetime.fromtimestamp(1614265330, UTC),
    b'{"test": 2432232314}',
)
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_8032_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
KEY = "whsk_" + base64.b64encode(SEED).decode()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD, NEW = "whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8
BODY = '{"type":"invoice.paid","data":{"memo":"žluťoučký"}}'.encode()


def test_the_vector_of_the_specification_is_reproduced() -> None:
    """Standard Webhooks 1.0.0, the reference libraries' own test."""
    assert {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == signing.headers("standard", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], *VECTOR)


def test_the_asymmetric_vector_of_the_reference_library_is_reproduced() -> None:
    """Standard Webhooks, libraries/go/webhook_asymmetric_test.go: the key is a seed of 32 bytes."""
    got = signing.headers("standard", ["whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="], *VECTOR)

    assert (
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
    ) == got["webhook-signature"]


# Secrets and keys


@pytest.mark.parametrize(("signature", "prefix"), [("hmac", "whsec_"), ("ed25519", "whsk_")])
def test_a_new_secret_can_sign_and_is_never_the_same_twice(signature: Signature, prefix: str) -> None:
    first, second = new_secret(signature), new_secret(signature)

    assert (None, None) == (fault(first, "standard"), fault(second, "standard"))
    assert (True, signature) == (first.startswith(prefix), signature_of(first))
    assert first != second


def test_a_private_key_may_be_its_seed_or_hold_the_public_key_too() -> None:
    """RFC 8032, 7.1, test 1; Svix writes both halves, the reference library the seed."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    whole = "whsk_" + base64.b64encode(SEED + public).decode()

    for text in (KEY, whole):
        key = keypair.load(text)
        assert key is not None
        assert "whpk_" + base64.b64encode(public).decode() == keypair.public(key)
        assert "v1a," + base64.b64encode(RFC_8032_SIGNATURE).decode() == keypair.sign(key, b"")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("whsk_" + base64.b64encode(SEED + SEED).decode(), "not an ed25519 key", id="two halves"),
        pytest.param("whsk_" + base64.b64encode(SEED[1:]).decode(), "not an ed25519 key", id="31 bytes"),
        pytest.param("whsk_" + base64.b64encode(SEED * 3).decode(), "not an ed25519 key", id="96 bytes"),
        pytest.param(KEY.removesuffix("="), "not an ed25519 key", id="no padding"),
        pytest.param(KEY[:-2] + "ž=", "not an ed25519 key", id="no base64"),
        pytest.param("whsk_=", "not an ed25519 key", id="nothing"),
        pytest.param(KEY.replace("whsk_", "whpk_"), "not a Standard Webhooks secret", id="a public key"),
        pytest.param("whsec_ž", "not a Standard Webhooks secret", id="a secret that is no base64"),
        pytest.param("whsec_QUFB", "not a Standard Webhooks secret", id="a secret of three bytes"),
        pytest.param("12345678", "not a Standard Webhooks secret", id="any text"),
    ],
)
def test_what_is_no_key_is_refused_in_one_line_that_does_not_repeat_it(text: str, reason: str) -> None:
    found = fault(text, "standard")

    assert found is not None
    assert (True, False, False) == (reason in found, "\n" in found, text in found)


@pytest.mark.parametrize("form", ["oxapay", "btcpay"])
@pytest.mark.parametrize(
    ("text", "taken"),
    [
        pytest.param("merchant-secret", True, id="a key of theirs"),
        pytest.param("12345678", True, id="8 characters"),
        pytest.param("1234567", False, id="7 characters"),
        pytest.param(OLD, True, id="a secret of Standard Webhooks"),
        pytest.param("whsk_of-another-service", True, id="a text that begins as a private key does"),
        pytest.param(KEY, False, id="a private key, which a shop must not know"),
    ],
)
def test_other_formats_take_any_text_but_a_private_key(form: str, text: str, taken: bool) -> None:  # noqa: FBT001
    assert taken == (fault(text, form) is None)


@pytest.mark.parametrize(
    ("signature", "secret", "form", "fits"),
    [
        pytest.param(None, KEY, "standard", True, id="not said"),
        pytest.param("ed25519", KEY, "standard", True, id="a key for ed25519"),
        pytest.param("hmac", OLD, "standard", True, id="a secret for hmac"),
        pytest.param("hmac", KEY, "standard", False, id="a key for hmac"),
        pytest.param("ed25519", OLD, "standard", False, id="a secret for ed25519"),
        pytest.param("ed25519", "merchant-secret", "oxapay", False, id="ed25519 in another format"),
        pytest.param("hmac", "merchant-secret", "oxapay", True, id="hmac in another format"),
    ],
)
def test_the_way_to_sign_has_to_fit_the_secret_and_the_format(
    signature: Signature | None,
    secret: str,
    form: str,
    fits: bool,  # noqa: FBT001
) -> None:
    assert fits == (mismatch(secret, signature) is None and unspoken(signature, form) is None)


# What is signed


def test_h133_the_signature_covers_id_time_and_body() -> None:
    at = datetime.now(UTC)
    good = signing.headers("standard", [OLD], "evt_1", at, BODY)
    later = str(int(at.timestamp()) + 1)

    assert Webhook(OLD).verify(BODY, good)["type"] == "invoice.paid"
    for spoiled, body in (
        (good | {"webhook-id": "evt_2"}, BODY),
        (good | {"webhook-timestamp": later}, BODY),
        (good, BODY + b" "),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(body, spoiled)


def test_h134_during_the_overlap_of_a_rotation_both_secrets_sign() -> None:
    column = signing.rotated(signing.stored([OLD]), NEW, NOW, timedelta(hours=24))

    assert (NEW, OLD) == signing.current(column, NOW + timedelta(hours=24) - timedelta(microseconds=1))
    assert (NEW,) == signing.current(column, NOW + timedelta(hours=24))
    at = datetime.now(UTC)
    headers = signing.headers("standard", [NEW, OLD], "evt_1", at, BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(BODY, headers)["type"] == "invoice.paid"


def test_h134_a_rotation_from_hmac_to_ed25519_signs_in_both_ways() -> None:
    column = signing.rotated(signing.stored([OLD]), KEY, NOW, timedelta(hours=24))
    at = datetime.now(UTC)
    headers = signing.headers("standard", signing.current(column, NOW), "evt_1", at, BODY)

    asymmetric, symmetric = headers["webhook-signature"].split(" ")
    signed = f"evt_1.{int(at.timestamp())}.".encode() + BODY
    assert ("v1a,", "v1,") == (asymmetric[:4], symmetric[:3])
    assert signed == _public(column).verify(signed, base64.b64decode(asymmetric[4:]))
    assert Webhook(OLD).verify(BODY, headers)["type"] == "invoice.paid"


def _public(column: str) -> VerifyKey:
    shown = signing.shown(signing.newest(column))
    assert shown["signature"] == "ed25519"
    return VerifyKey(base64.b64decode(str(shown["public_key"]).removeprefix("whpk_")))


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        pytest.param(OLD, {"signature": "hmac", "public_key": None}, id="a secret"),
        pytest.param("merchant-secret", {"signature": "hmac", "public_key": None}, id="of another format"),
        pytest.param(None, {"signature": None, "public_key": None}, id="none of its own"),
    ],
)
def test_h137_nothing_of_a_shared_secret_is_shown(secret: str | None, expected: dict[str, str]) -> None:
    assert expected == signing.shown(secret)


def test_a_rotation_without_overlap_drops_the_old_secret_at_once() -> None:
    column = signing.rotated(signing.stored([OLD]), NEW, NOW, timedelta(0))

    assert (NEW,) == signing.current(column, NOW)


def test_a_second_rotation_does_not_prolong_a_secret_that_is_on_its_way_out() -> None:
    third = "whsec_" + "Q0ND" * 8
    column = signing.rotated(signing.stored([OLD]), NEW, NOW, timedelta(hours=1))
    column = signing.rotated(column, third, NOW, timedelta(hours=24))

    assert (third, NEW, OLD) == signing.current(column, NOW)
    assert (third, NEW) == signing.current(column, NOW + timedelta(hours=1))


def test_h137_a_rotation_forgets_the_secrets_whose_time_is_over() -> None:
    column = signing.rotated(signing.stored([OLD]), NEW, NOW, timedelta(hours=1))
    column = signing.rotated(column, "whsec_" + "Q0ND" * 8, NOW + timedelta(hours=1), timedelta(hours=24))

    assert OLD not in column


def test_all_secrets_of_the_configuration_sign_without_an_end() -> None:
    column = signing.stored([NEW, OLD])

    assert (NEW, OLD) == signing.current(column, NOW + timedelta(days=10_000))


# Formats of other systems

PAID = b'{"type":"invoice","status":"Paid"}'
HMAC_OF_PAID = (
    "c15bb31d9357e339e53ff5dc9202a9a653733ab0301f99b20b5e1b567a368b3a"
    "e28a626ead0358bea8025df30a2d3ed8a80dde1c8ee48a5b796b290bbc4410c7"
)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param("oxapay", {"HMAC": HMAC_OF_PAID}, id="oxapay"),
        pytest.param(
            "btcpay",
            {"BTCPay-Sig": "sha256=1ec933a1be58e33c486f7a6fdf04b86434060e13a4a8acc71982e23f9244a3d6"},
            id="btcpay",
        ),
    ],
)
def test_other_formats_have_a_header_of_their_own_beside_ours(form: str, expected: dict[str, str]) -> None:
    at = datetime.now(UTC)
    got = signing.headers(form, ["merchant-secret"], "evt_1.2", at, PAID)

    assert expected == {name: text for name, text in got.items() if not name.startswith("webhook-")}
    assert ("evt_1.2", str(int(at.timestamp()))) == (got["webhook-id"], got["webhook-timestamp"])
    assert {"type": "invoice", "status": "Paid"} == Webhook(b"merchant-secret").verify(PAID, got)


def test_a_secret_of_standard_webhooks_keeps_its_meaning_for_each_header() -> None:
    """Their header is keyed with the text itself, ours with the bytes that the text stands for."""
    got = signing.headers("oxapay", [OLD], "evt_1", datetime.now(UTC), PAID)

    assert hmac.new(OLD.encode(), PAID, hashlib.sha512).hexdigest() == got["HMAC"]
    assert {"type": "invoice", "status": "Paid"} == Webhook(OLD).verify(PAID, got)


@pytest.mark.parametrize("form", ["oxapay", "btcpay"])
def test_h134_where_a_header_has_room_for_one_the_secrets_of_a_rotation_take_turns(form: str) -> None:
    secrets = ["new-secret", "old-secret", "older-secret"]
    one_by_one = [signing.headers(form, [each], "evt_1", NOW, PAID) for each in secrets]
    name = next(name for name in one_by_one[0] if not name.startswith("webhook-"))

    sent = [
        signing.headers(form, signing.in_turn(form, secrets, attempts), "evt_1", NOW, PAID)
        for attempts in range(5)
    ]

    assert [one_by_one[place][name] for place in (0, 1, 2, 0, 1)] == [each[name] for each in sent]
    for each in sent:
        assert {one["webhook-signature"] for one in one_by_one} == set(each["webhook-signature"].split())


def test_standard_webhooks_has_room_for_all_secrets_newest_first() -> None:
    assert [[NEW, OLD]] * 3 == [signing.in_turn("standard", [NEW, OLD], attempts) for attempts in range(3)]
