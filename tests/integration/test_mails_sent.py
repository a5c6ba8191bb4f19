"""What arrives at a real SMTP server: texts, languages, headers; and a reminder from the facts on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mail_office import open_office
from mail_rows import EMAIL, Desk, reminded, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mail_office import Office
    from world import World

MINUTE = 60


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as one:
        yield one


# What arrives


ENGLISH = """Hello,

we are still waiting for the rest of your payment for order A-1001.

Two books

You have 59 minutes left: please pay by 1 January 2026, 13:00 UTC.

Amount:  0.6 COIN (fake)
Address: {address}
Wallet:  fake:{address}

All about this payment, and what has arrived so far:
http://shop.test/i/{id}

If you have paid in the last few minutes, there is nothing left to do.

Shop & Söhne
"""
FRENCH = """Bonjour,

nous attendons toujours votre paiement.

Il vous reste 1 heure : merci de payer avant le 1er janvier 2026 à 13:00 UTC.

Une seule de ces possibilités suffit :

Montant : 1 COIN (fake)
Adresse : {address}
Portefeuille : fake:{address}

Montant : 2.5 TOKEN (fake)
Adresse : {other}
Portefeuille : fake:{other}

Tout sur ce paiement, et ce qui est déjà arrivé :
http://shop.test/i/{id}

Si vous avez payé au cours des dernières minutes, vous n’avez plus rien à faire.

Shop & Söhne
"""  # noqa: RUF001 - the apostrophe of French


async def test_the_english_mail_says_what_is_left_to_pay_when_it_is_sent(
    world: World, office: Office
) -> None:
    desk = Desk(world, settings(office))
    made = await reminded(world, desk, order_id="A-1001", description="Two books")
    world.chains["fake"].pay(made.address, 40_000_000)
    await world.mine(apart=MINUTE)

    await desk.work()

    (mail,) = office.got
    assert ENGLISH.format(address=made.address, id=made.id) == mail.get_content().replace("\r\n", "\n")
    assert "Reminder: 59 minutes left to pay order A-1001" == mail["Subject"]
    assert ("Shop & Söhne <pay@shop.example>", EMAIL) == (str(mail["From"]), str(mail["To"]))
    row = await desk.row()
    assert f"<{row.id}@shop.example>" == mail["Message-ID"]
    assert ("Thu, 01 Jan 2026 12:01:00 +0000", "en", "auto-generated") == (
        mail["Date"],
        mail["Content-Language"],
        mail["Auto-Submitted"],
    )
    assert [("pay@shop.example", [EMAIL])] == office.transports
    assert ("sent", 1, world.clock(), None) == (row.state, row.attempts, row.sent_at, row.error)


async def test_the_french_mail_lists_every_way_to_pay(world: World, office: Office) -> None:
    desk = Desk(world, settings(office, language="fr"))
    world.add()
    await world.scan()
    ways = [
        {"chain": "fake", "asset": "COIN", "amount": "1"},
        {"chain": "fake", "asset": "TOKEN", "amount": "2.5"},
    ]
    made = await reminded(world, desk, options=ways, language="fr")

    await desk.work()

    (mail,) = office.got
    address, other = made.addresses
    assert FRENCH.format(address=address, other=other, id=made.id) == mail.get_content().replace("\r\n", "\n")
    assert "Rappel : il vous reste 1 heure pour payer Shop & Söhne" == mail["Subject"]


async def test_a_merchants_own_template_goes_before_ours_and_another_language_can_be_added(
    world: World, office: Office, tmp_path: Path
) -> None:
    (tmp_path / "reminder.en.txt").write_text("Subject: {{ shop }}: {{ options[0].amount }}\nPay!\n")
    (tmp_path / "reminder.de.txt").write_text("Subject: Frist: {{ time_left }}, {{ deadline }}\nZahle!\n")
    desk = Desk(world, settings(office, templates=tmp_path))
    await reminded(world, desk)
    await reminded(world, desk, language="de")

    await desk.work()

    assert {("Shop & Söhne: 1", "Pay!\n"), ("Frist: 1 h, 2026-01-01 13:00 UTC", "Zahle!\n")} == {
        (str(mail["Subject"]), mail.get_content().replace("\r\n", "\n")) for mail in office.got
    }


async def test_no_value_makes_a_header_or_a_recipient(world: World, office: Office, tmp_path: Path) -> None:
    evil = "A\r\nBcc: all@shop.example\r\n\r\n.\r\nMAIL FROM:<x@y>"
    (tmp_path / "reminder.en.txt").write_text(
        "Subject: {{ order_id }} {{ description }}\n{{ description }}\n.\nend\n"
    )
    desk = Desk(world, settings(office, templates=tmp_path))
    await reminded(world, desk, order_id=evil, description=evil)

    await desk.work()

    (mail,) = office.got
    flat = " ".join(evil.split())
    assert f"{flat} {flat}" == mail["Subject"]
    assert mail["Bcc"] is None
    assert [("pay@shop.example", [EMAIL])] == office.transports
    told = mail.get_content().replace("\r\n", "\n")
    assert f"{evil}\n.\nend\n".replace("\r\n", "\n") == told


@pytest.mark.parametrize(
    "recipient",
    [
        pytest.param("jo@shop.example,eve@shop.example", id="two"),
        pytest.param("jo@shop.example>\r\nRCPT TO:<eve@shop.example", id="a command"),
        pytest.param("jo@shop.example\nBcc: eve@shop.example", id="a header"),
        pytest.param("jörg@shop.example", id="a name that not every server takes"),
        pytest.param("jo@@shop.example", id="two signs"),
        pytest.param("jo@-..example", id="no domain"),
    ],
)
async def test_what_is_not_one_address_gets_no_mail(world: World, office: Office, recipient: str) -> None:
    desk = Desk(world, settings(office))
    await reminded(world, desk, recipient)

    await desk.work()

    row = await desk.row()
    assert ("failed", True) == (row.state, (row.error or "").startswith("recipient: "))
    assert [] == office.sessions


async def test_an_address_below_an_international_domain_is_written_in_ascii(
    world: World, office: Office
) -> None:
    desk = Desk(world, settings(office))
    await reminded(world, desk, "jo@bücher.example")

    await desk.work()

    assert [("pay@shop.example", ["jo@xn--bcher-kva.example"])] == office.transports


# From the facts to the mail


async def test_a_payer_is_reminded_once_of_each_deadline(world: World, office: Office) -> None:
    world.links = replace(world.links, mail=True)
    world._wire()
    world.add()
    await world.scan()
    desk = Desk(world, settings(office))
    made = await world.invoice(reminder_before=600, customer_email=EMAIL, language="fr")
    silent = await world.invoice(reminder_before=600)

    await world.mine(apart=3000 - 1)
    await desk.work()
    assert [] == office.got
    await world.mine(apart=1)
    await desk.work()
    await world.mine(2)
    await desk.work()
    assert ["Rappel : il vous reste 10 minutes pour payer Shop & Söhne"] == [m["Subject"] for m in office.got]

    await world.resolve(made, "extend", world.clock() + timedelta(hours=2))
    await world.mine(apart=6600)
    await desk.work()
    await world.mine(2)
    await desk.work()

    assert ["sent 1", "sent 1"] == await desk.states()
    assert "Rappel : il vous reste 10 minutes pour payer Shop & Söhne" == office.got[-1]["Subject"]
    assert ["invoice.reminder", "invoice.extended", "invoice.reminder"] == await made.told()
    assert ["invoice.reminder", "invoice.expired"] == await silent.told()


async def test_without_mail_configured_nothing_waits_to_be_sent(world: World, office: Office) -> None:
    desk = Desk(world, settings(office))
    world.add()
    await world.scan()
    made = await world.invoice(reminder_before=600, customer_email=EMAIL)
    await world.mine(apart=3000)

    assert ["invoice.reminder"] == await made.told()
    assert [] == await desk.rows()
