"""The audit trail: every administrative act in the transaction that does it, readable, and never changed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from command_line import configure, watcher
from watcher import audit, audit_trail, migrate
from watcher.api.schema_reports import AuditEntry
from watcher.apikeys import Scope
from watcher.tables import REFUND

if TYPE_CHECKING:
    from pathlib import Path

    from api_server import Api
    from world import World

HOOK = "https://shop.example/hooks"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def entries(api: Api, query: str = "") -> list[dict[str, Any]]:
    reply = await api.get(f"/v1/audit?{query}")
    assert reply.status == 200, reply.body
    return list(reply.json["data"])


async def acts(api: Api, query: str = "") -> list[tuple[str, str, Any]]:
    """Action, subject and detail, oldest first."""
    return [(one["action"], one["subject"], one["detail"]) for one in reversed(await entries(api, query))]


async def webhook(api: Api) -> str:
    return str((await api.post("/v1/webhooks", {"url": HOOK, "secret": SECRET})).json["id"])


async def test_what_is_done_to_webhooks_is_on_record_with_who_did_it_and_without_a_secret(api: Api) -> None:
    id_ = await webhook(api)
    await api.call("PATCH", f"/v1/webhooks/{id_}", json={"events": ["invoice.paid"], "state": "disabled"})
    await api.post(f"/v1/webhooks/{id_}/rotate", {"overlap_seconds": 60, "secret": SECRET})
    await api.call("PATCH", f"/v1/webhooks/{id_}", json={"state": "active"})
    await api.post(f"/v1/webhooks/{id_}/replay", {"after": "2026-01-01T00:00:00+01:00"})
    await api.call("DELETE", f"/v1/webhooks/{id_}")

    assert [
        ("webhook.create", id_, {"url": "https://shop.example", "events": ["*"]}),
        ("webhook.change", id_, {"events": ["invoice.paid"], "state": "disabled"}),
        ("webhook.rotate", id_, {"overlap_seconds": 60}),
        ("webhook.change", id_, {"state": "active"}),
        ("webhook.replay", id_, {"after": "2025-12-31T23:00:00Z", "deliveries": 0}),
        ("webhook.remove", id_, {}),
    ] == await acts(api, f"subject={id_}")
    assert {"a admin"} == {one["actor"] for one in await entries(api, f"subject={id_}")}
    assert SECRET not in (await api.get("/v1/audit")).body.decode()


async def test_keys_are_on_record_once_made_and_once_revoked(api: Api) -> None:
    made = (await api.post("/v1/keys", {"name": "shop", "scope": "write"})).json
    for _ in range(2):
        await api.call("DELETE", "/v1/keys/shop")

    assert [
        ("key.create", made["id"], {"name": "shop", "scope": "write"}),
        ("key.revoke", made["id"], {}),
    ] == await acts(api, f"subject={made['id']}")
    assert made["key"] not in (await api.get("/v1/audit")).body.decode()


async def test_a_redelivery_and_a_rescan_are_on_record(api: Api) -> None:
    await webhook(api)
    await api.invoice()
    api.chain.mine(3)
    await api.scan()
    (delivery, *_) = (await api.get("/v1/deliveries")).json["data"]
    await api.post(f"/v1/deliveries/{delivery['id']}/redeliver")
    await api.post("/v1/chains/fake/rescan", {"from": 1})

    assert [("delivery.redeliver", delivery["id"], {})] == await acts(api, "action=delivery.redeliver")
    assert [("chain.rescan", "fake", {"from": 1, "to": 3})] == await acts(api, "subject=fake")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/v1/webhooks", {"url": "ftp://shop.example"}, id="a webhook that cannot be"),
        pytest.param("POST", "/v1/webhooks/whk_none/rotate", {}, id="no such webhook"),
        pytest.param("POST", "/v1/keys", {"name": "a read"}, id="a name that is taken"),
        pytest.param("DELETE", "/v1/keys/key_none", None, id="no such key"),
        pytest.param("POST", "/v1/chains/fake/rescan", {"from": 99}, id="blocks that are not there"),
    ],
)
async def test_what_was_refused_was_not_done(api: Api, method: str, path: str, body: Any) -> None:
    assert (await api.call(method, path, json=body)).status in {404, 409, 422}

    assert [] == await entries(api)


async def test_a_repeated_request_is_one_act(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        reply = await api.post("/v1/webhooks", {"url": HOOK}, headers=headers)
        assert 201 == reply.status

    assert 1 == len(await entries(api, "action=webhook.create"))


async def test_pages_go_back_in_time_or_on_from_an_entry(api: Api) -> None:
    for n in range(5):
        await api.post("/v1/keys", {"name": f"key {n}"})
    everything = await entries(api)
    ids = [one["id"] for one in everything]
    first = (await api.get("/v1/audit?limit=2")).json
    second = (await api.get(f"/v1/audit?limit=3&cursor={first['next']}")).json
    onwards = (await api.get(f"/v1/audit?limit=2&after={ids[3]}")).json
    rest = (await api.get(f"/v1/audit?limit=2&after={ids[3]}&cursor={onwards['next']}")).json

    assert ids == sorted(ids, reverse=True)
    assert (ids, None) == ([one["id"] for one in [*first["data"], *second["data"]]], second["next"])
    assert [ids[2], ids[1], ids[0]] == [one["id"] for one in [*onwards["data"], *rest["data"]]]
    assert rest["next"] is None
    assert sorted(ids) == [one["id"] for one in await entries(api, "after=0")]
    AuditEntry.model_validate(everything[0], extra="forbid")


async def test_filters_have_to_match_all_each_by_any_of_its_values(api: Api) -> None:
    await api.post("/v1/keys", {"name": "one"})
    await webhook(api)

    assert 2 == len(await entries(api, "action=key.create,webhook.create&actor=a admin"))
    assert 1 == len(await entries(api, "action=key.create"))
    assert 0 == len(await entries(api, "actor=local"))


async def test_an_invoice_stands_for_its_refunds_as_well(world: World) -> None:
    world.add()
    await world.scan()
    invoice, other = await world.invoice(), await world.invoice()
    now = world.clock()
    refund = {"id": "ref_1", "invoice_id": invoice.id, "chain": "fake", "asset": "COIN", "decimals": 8}
    refund |= {"amount": 1, "arrives": 1, "confirmations": "1", "by": "shop", "at": now}
    async with world.store.write() as conn:
        await conn.execute(insert(REFUND).values(**refund))
        for subject in (invoice.id, other.id, "ref_1", invoice.id):
            await audit.note(conn, "shop", f"tell.{subject}", subject, now, reason="why", amount=10**30)
    async with world.store.read() as conn:
        found = await audit_trail.of(conn, invoice.id, 10)
        newest = await audit_trail.of(conn, invoice.id, 1)

    told = [one for one in found if one["action"].startswith("tell.")]
    assert [invoice.id, "ref_1", invoice.id] == [one["subject"] for one in told]
    assert (newest[0], "why", {"amount": 10**30}) == (found[-1], found[-1]["reason"], found[-1]["detail"])


async def test_reading_needs_a_key_and_reading_is_all_that_can_be_done(api: Api) -> None:
    assert 401 == (await api.get("/v1/audit", None)).status
    for method in ("POST", "PATCH", "DELETE"):
        assert 405 == (await api.call(method, "/v1/audit", Scope.ADMIN)).status


CHANGES = [
    pytest.param("UPDATE audit SET actor = 'nobody'", id="changed"),
    pytest.param("UPDATE audit SET reason = NULL WHERE id = 1", id="blanked"),
    pytest.param("DELETE FROM audit", id="emptied"),
    pytest.param(
        "REPLACE INTO audit (id, at, actor, action, subject, detail) VALUES (1, 2, 'a', 'b', 'c', '{}')",
        id="replaced",
    ),
]


@pytest.mark.parametrize("statement", CHANGES)
def test_the_database_itself_refuses_to_change_what_is_on_record(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "watcher.db"
    migrate.upgrade(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        add = "INSERT INTO audit (at, actor, action, subject, detail) VALUES (1, 'shop', 'a', 'b', '{}')"
        connection.execute(add)
        connection.execute(add)
        before = connection.execute("SELECT * FROM audit").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="the audit trail is only ever added to"):
            connection.execute(statement)

        assert 2 == len(before)
        assert before == connection.execute("SELECT * FROM audit").fetchall()


def test_the_command_shows_what_the_operator_did_oldest_first(tmp_path: Path) -> None:
    configure(tmp_path)
    for name in ("first", "second"):
        assert 0 == watcher("key", "create", name, cwd=tmp_path).returncode
    table = watcher("audit", cwd=tmp_path).stdout
    found = json.loads(watcher("audit", "--action", "key.create", "--json", cwd=tmp_path).stdout)["data"]
    nothing = watcher("audit", "--invoice", "inv_none", cwd=tmp_path)

    assert [("local", "second"), ("local", "first")] == [(o["actor"], o["detail"]["name"]) for o in found]
    assert table.index("name: first") < table.index("name: second")
    assert (0, "no entry\n") == (nothing.returncode, nothing.stdout)
