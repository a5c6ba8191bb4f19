"""A payer is reminded once of each deadline, ahead of it, while not enough is seen; by mail if set up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from merchant_scene import HOUR, Till, pay, till
from watcher.tables import MAIL

if TYPE_CHECKING:
    from world import World

EMAIL = "payer@example.com"


async def reminded(one: Till) -> int:
    """How often the payer was reminded."""
    return (await one.invoice.told()).count("invoice.reminder")


async def asked(world: World, before: int = 600, **fields: object) -> Till:
    """An invoice of an hour, to be reminded of ten minutes ahead, with mail."""
    world.links = replace(world.links, mail=True)
    world._wire()
    return await till(world, reminder_before=before, customer_email=EMAIL, **fields)


async def test_a_payer_is_reminded_once_and_at_the_moment(world: World) -> None:
    one = await asked(world)
    await world.mine(apart=HOUR - 601)
    assert 0 == await reminded(one)

    await world.mine(apart=1)
    await world.mine(5)

    assert 1 == await reminded(one)
    (mail,) = await world.rows(MAIL)
    assert (one.invoice.id, EMAIL, "pending") == (mail.invoice_id, mail.recipient, mail.state)
    event = (await one.invoice.events())[-1]
    assert ("invoice.reminder", "pending") == (event["type"], event["data"]["invoice"]["status"])


async def test_a_payer_of_a_part_is_reminded_of_the_rest(world: World) -> None:
    one = await asked(world)
    await pay(one, 0.5)
    await world.mine(apart=HOUR - 500)

    assert 1 == await reminded(one)
    (option,) = (await one.invoice.events())[-1]["data"]["invoice"]["options"]
    assert "0.5" == option["missing"]


@pytest.mark.parametrize("blocks", [0, 1, 2], ids=["seen", "confirming", "paid"])
async def test_nobody_is_reminded_while_enough_is_seen(world: World, blocks: int) -> None:
    one = await asked(world)
    await pay(one, 1, blocks=blocks)
    world.clock.advance(HOUR - 300)
    world.chains["fake"].mine(only=[])
    await world.scan()

    assert 0 == await reminded(one)


async def test_what_was_enough_and_is_gone_is_reminded_of_then(world: World) -> None:
    one = await asked(world)
    txid = await pay(one, 1, blocks=0)
    world.clock.advance(HOUR - 500)
    world.chains["fake"].mine(only=[])
    await world.scan()
    world.chains["fake"].drop(txid)
    await world.scan()

    assert 1 == await reminded(one)


async def test_nobody_is_reminded_of_a_deadline_that_is_over(world: World) -> None:
    """The process slept from before the moment until after the deadline."""
    one = await asked(world)
    await world.mine(apart=HOUR + 1)

    assert ("expired", 0, 0) == (await one.invoice.status(), await reminded(one), await world.count(MAIL))


async def test_a_moment_that_was_slept_over_is_made_good_before_the_deadline(world: World) -> None:
    one = await asked(world)
    world.clock.advance(HOUR - 60)
    world.chains["fake"].mine()
    await world.restart()
    await world.scan()
    await world.restart()
    await world.mine()

    assert (1, 1) == (await reminded(one), await world.count(MAIL))


@pytest.mark.parametrize("seconds", [60, 3600], ids=["a deadline nearer than the reminder", "a later one"])
async def test_an_extended_deadline_is_reminded_of_unless_it_was_set_later_than_that(
    world: World, seconds: int
) -> None:
    one = await asked(world)
    await world.mine(apart=HOUR + 1)
    assert "expired" == await one.invoice.status()
    await one.extend(seconds=seconds)
    await world.mine(apart=seconds - 59)
    await world.mine(2)

    assert (seconds == HOUR) == await reminded(one)


async def test_each_deadline_is_reminded_of_once(world: World) -> None:
    one = await asked(world)
    await world.mine(apart=HOUR - 500)
    await one.extend(seconds=7200)
    await world.mine(2)
    assert 1 == await reminded(one)
    await world.mine(apart=7200)
    await world.mine(2)

    assert (2, 2) == (await reminded(one), await world.count(MAIL))
    assert 2 == len({row.deadline for row in await world.rows(MAIL)})


async def test_nobody_is_reminded_of_a_cancelled_invoice(world: World) -> None:
    one = await asked(world)
    await one.cancel()
    await world.mine(apart=HOUR - 300)

    assert (0, 0) == (await reminded(one), await world.count(MAIL))


async def test_a_reminder_waits_for_every_chain_of_the_invoice(world: World) -> None:
    world.add("fake", has_mempool=False)
    world.add("other", has_mempool=False)
    await world.scan()
    options = [{"chain": name, "asset": "COIN", "amount": "1"} for name in ("fake", "other")]
    one = Till(world, await world.invoice(options=options, reminder_before=600))
    world.clock.advance(HOUR - 300)
    world.chains["fake"].mine()
    await world.scan()
    assert 0 == await reminded(one)

    world.chains["other"].mine()
    await world.scan()

    assert 1 == await reminded(one)


async def test_without_mail_the_event_is_told_alone(world: World) -> None:
    one = await till(world, reminder_before=600, customer_email=EMAIL)
    await world.mine(apart=HOUR - 300)

    assert (1, 0) == (await reminded(one), await world.count(MAIL))
