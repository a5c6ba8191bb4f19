"""The dashboard's chains: each state in words, what stands in the way, and reading blocks again."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
from sqlalchemy import insert, select

from chains.base import EndpointHealth
from dashboard import sign_in
from notified import alert
from watcher import resources
from watcher.api.schema_works import Mode
from watcher.apikeys import Scope
from watcher.model import AlertKind, ChainState, GapReason
from watcher.pages import chains
from watcher.render import moment
from watcher.tables import ADDRESS, ALERT, GAP

if TYPE_CHECKING:
    from api_server import Api
    from watcher.settings import Settings

PATH = "/dashboard/chains"
NODE = "http://127.0.0.1:8332"
README = (resources.config_dir().parent / "README.md").read_text(encoding="utf-8")


async def page(api: Api, scope: Scope = Scope.ADMIN, path: str = PATH) -> str:
    """Return a page as it is sent."""
    reply = await (await sign_in(api, scope)).get(path)
    assert reply.status == 200, reply.body
    return reply.body.decode()


async def words(api: Api) -> str:
    """Return the chains' page as people read it, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", await page(api))).replace("\xa0", " ").split())


def node_states() -> set[str]:
    """Return the states of nodes that the README names."""
    table = README.partition("### Several nodes")[2].partition("\n\nEvery 30 seconds")[0]
    return {
        name
        for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }


@pytest.mark.parametrize(
    ("names", "known"),
    [
        pytest.param(ChainState, chains.STATES, id="states of chains"),
        pytest.param(get_args(Mode), chains.MODES, id="ways to find coins from contracts"),
        pytest.param(node_states(), chains.NODES, id="states of nodes"),
        pytest.param(GapReason, chains.GAPS, id="reasons to read again"),
        pytest.param(AlertKind, chains.ALERTS, id="alerts"),
    ],
)
def test_there_are_words_for_everything_that_a_chain_can_be(names: Any, known: Any) -> None:
    assert set(names) == set(known)


async def test_a_chain_is_shown_with_its_head_lag_nodes_and_assets(api: Api) -> None:
    api.chain.mine(3)
    await api.scan()
    head = api.chain.head
    shown = await words(api)

    for expected in (
        "Fake live It is read up to its newest block.",
        f"Newest block3 {head.hash[:8]}…{head.hash[-8:]} {head.time:%Y-%m-%d %H:%M:%S} UTC",
        f"Read up to3 {head.hash[:8]}…{head.hash[-8:]} Lag0 blocks, 0 s",
        "Unused addresses0 in a row AssetsCOIN, TOKEN",
        "fake://chainupanswers3",
    ):
        assert expected in shown


async def test_how_coins_from_contracts_are_found_is_said_in_words(api: Api) -> None:
    for mode, meaning in chains.MODES.items():
        api.adapter.contract_transfers = mode

        assert f"Coins from contracts{meaning}" in await words(api)


async def test_a_silent_chain_says_what_is_wrong_and_what_to_do(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = (EndpointHealth(NODE, "down", None, "<b>refused</b>"), EndpointHealth(NODE, "lagging", 7))
    monkeypatch.setattr(api.adapter, "health", lambda: nodes)
    api.adapter.faults.fail("tip", times=None)
    await api.scanner.turn()
    shown = await words(api)

    assert f"Fake stalled {chains.STATES[ChainState.STALLED]}the node is down" in shown
    assert f"{NODE}down{chains.NODES['down']}<b>refused</b>" in shown
    assert f"{NODE}lagging{chains.NODES['lagging']}7" in shown
    assert "&lt;b&gt;refused" in await page(api)


async def test_a_run_of_unused_addresses_that_wallets_do_not_look_through_is_warned_of(api: Api) -> None:
    for _ in range(20):
        await api.invoice()
    within = await words(api)
    await api.invoice()
    beyond = await words(api)

    assert "Unused addresses20 in a row" in within
    assert "were never paid" not in within
    assert "The newest 21 addresses were never paid." in beyond
    assert "or give it what watcher addresses fake prints." in beyond


async def test_alerts_and_unread_blocks_are_shown_with_the_invoices_that_wait(api: Api) -> None:
    invoice = await api.invoice()
    async with api.context.store.write() as conn:
        address = await conn.scalar(select(ADDRESS.c.id))
        trouble = {"chain": "fake", "subject": "2-3", "detail": "<i>pruned</i>", "since": api.clock()}
        await conn.execute(insert(ALERT).values(kind=AlertKind.BLOCKS_MISSING, **trouble))
        gap = {"chain": "fake", "first": 2, "last": 3, "after": 0, "upto": address, "detail": "<i>no</i>"}
        await conn.execute(insert(GAP).values(reason=GapReason.MISSING, **gap))
    shown, raw = await words(api), await page(api)

    since = (moment(api.clock()) or "").replace("T", " ").replace("Z", " UTC")
    assert f"blocks are missing (2-3), since {since}: <i>pruned</i>" in shown
    assert f"2 to 3: {chains.GAPS[GapReason.MISSING]} (<i>no</i>)" in shown
    assert f'href="/dashboard/invoices/{invoice["id"]}"' in raw
    assert "<i>" not in raw


async def test_a_chain_is_called_by_its_title(api: Api) -> None:
    chain = api.context.settings.chains["fake"].model_copy(update={"title": "Play <money>"})
    settings: Settings = api.context.settings.model_copy(update={"chains": {"fake": chain}})
    object.__setattr__(api.context, "settings", settings)

    assert "Play &lt;money&gt; <span" in await page(api)


async def test_the_page_follows_by_itself(api: Api) -> None:
    shown = await page(api)

    assert 'hx-get="/dashboard/chains" hx-trigger="changed from:body, every 3s"' in shown
    assert """hx-headers='{"X-Refresh": "live"}'""" in shown  # it is no use of the session


# Reading again


async def test_blocks_are_read_again(api: Api) -> None:
    api.chain.mine(5)
    await api.scan()
    dashboard = await sign_in(api)
    asked = await page(api, path=f"{PATH}/fake/rescan")
    one = await dashboard.post(f"{PATH}/fake/rescan", **{"from": "2", "to": "4"})
    rest = await dashboard.post(f"{PATH}/fake/rescan", **{"from": "1"})
    async with api.context.store.read() as conn:
        gaps = [tuple(row) for row in await conn.execute(select(GAP.c.first, GAP.c.last, GAP.c.reason))]
    audit = (await api.get("/v1/audit?action=chain.rescan", Scope.ADMIN)).json["data"]

    assert "What is known already changes nothing, however often" in asked
    assert "The last one that was read is 5." in asked
    assert [200, 200] == [one.status, rest.status]
    assert b"Blocks 2 to 4 are read again." in one.body
    assert b"Blocks 1 to 5 are read again." in rest.body
    assert [(2, 4, "rescan"), (1, 5, "rescan")] == gaps
    assert {"a admin"} == {entry["actor"] for entry in audit}


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        pytest.param({}, 422, "from: is required", id="no height"),
        pytest.param({"from": "4", "to": "2"}, 422, "to: must not be below from", id="backwards"),
        pytest.param({"from": "x"}, 422, "from: must be a whole number", id="no number"),
        pytest.param({"from": "-1"}, 422, "from: ", id="below the first"),
        pytest.param(
            {"from": "9"}, 422, "from: is above block 0, the last to be read again", id="above the last"
        ),
    ],
)
async def test_a_rescan_that_makes_no_sense_is_one_line(
    api: Api, fields: dict[str, str], status: int, expected: str
) -> None:
    reply = await (await sign_in(api)).post(f"{PATH}/fake/rescan", **fields)

    assert (status, True) == (reply.status, alert(reply.body).startswith(expected))
    async with api.context.store.read() as conn:
        assert [] == (await conn.execute(select(GAP))).all()


async def test_a_chain_that_there_is_not_is_404(api: Api) -> None:
    dashboard = await sign_in(api)
    replies = [
        await dashboard.get(f"{PATH}/nowhere/rescan"),
        await dashboard.post(f"{PATH}/nowhere/rescan", **{"from": "1"}),
    ]

    assert [404, 404] == [reply.status for reply in replies]


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
async def test_a_smaller_key_sees_the_chains_and_reads_nothing_again(api: Api, scope: Scope) -> None:
    shown = await page(api, scope)
    dashboard = await sign_in(api, scope)
    asked = await dashboard.get(f"{PATH}/fake/rescan")
    sent = await dashboard.post(f"{PATH}/fake/rescan", **{"from": "0"})

    assert "rescan" not in shown
    assert [403, 403] == [asked.status, sent.status]
