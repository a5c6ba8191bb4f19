"""`watcher addresses`: what a wallet needs to find all the money (hazard 37)."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from command_line import configure, running, watcher

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil

CREATE = ("invoice", "create", "--chain", "ethereum", "--asset", "ETH", "--amount", "0.50")


def test_h37_addresses_are_exported_as_csv_and_json(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    with running("run", cwd=tmp_path) as process:
        process.wait_for("daemon.ready")
        made = [json.loads(watcher(*CREATE, "--json", cwd=tmp_path).stdout) for _ in range(2)]
        paid = made[1]["options"][0]["address"]
        anvil.send(paid, 10**17)
        anvil.mine()
        process.wait_for('"transfers": 1')
        text = watcher("addresses", "ethereum", cwd=tmp_path).stdout
        used = watcher("addresses", "ethereum", "--used", "--json", cwd=tmp_path).stdout

    rows = list(csv.DictReader(text.splitlines()))
    assert [("0", "no"), ("1", "yes")] == [(row["index"], row["used"]) for row in rows]
    assert [each["id"] for each in made] == [row["invoice_id"] for row in rows]
    assert [(1, paid)] == [(each["index"], each["address"]) for each in json.loads(used)["data"]]


def test_an_unknown_chain_is_one_line(tmp_path: Path) -> None:
    configure(tmp_path)

    result = watcher("addresses", "nowhere", cwd=tmp_path)

    assert (1, "") == (result.returncode, result.stdout)
    assert "there is no chain 'nowhere'" in result.stderr
