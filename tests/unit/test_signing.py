from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from watcher import signing
from watcher.secret import fault

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD, NEW = "whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8
BODY = '{"type":"invoice.paid","data":{"memo":"žluťoučký"}}'.encode()


def test_the_vector_of_the_specification_is_reproduced() -> None:
    """Standard Webhooks 1.0.0, the reference libraries' own test."""
    got = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )

    assert {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == got


def test_a_new_secret_can_sign_and_is_never_the_same_twice() -> None:
    first, second = signing.new_secret(), signing.new_secret()

    assert (None, None) == (fault(first, "standard"), fault(second, "standard"))
    assert first != second


def test_h133_the_signature_covers_id_time_and_body() -> None:
    at = datetime.now(UTC)
    good = signing.headers([OLD], "evt_1", at, BODY)
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
    headers = signing.headers([NEW, OLD], "evt_1", at, BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(BODY, headers)["type"] == "invoice.paid"


def test_a_rotation_without_overlap_drops_the_old_secret_at_once() -> None:
    column = signing.rotated(signing.stored([OLD]), NEW, NOW, timedelta(0))

    assert (NEW,) == signing.current(column, NOW)


def test_a_second_rotation_does_not_prolong_a_secret_that_is_on_its_way_out() -> None:
    third = "whsec_" + "Q0ND" * 8
    column = signing.rotated(signing.stored([OLD]), NEW, NOW, timedelta(hours=1))
    column = signing.rotated(column, third, NOW, timedelta(hours=24))

    assert (third, NEW, OLD) == signing.current(column, NOW)
    assert (third, NEW) == signing.current(column, NOW + timedelta(hours=1))


def test_all_secrets_of_the_configuration_sign_without_an_end() -> None:
    column = signing.stored([NEW, OLD])

    assert (NEW, OLD) == signing.current(column, NOW + timedelta(days=10_000))
