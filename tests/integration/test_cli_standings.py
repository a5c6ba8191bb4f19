"""`watcher address` as people use it: beside a running daemon, and without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from command_line import configure, running, watcher

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.sandbox.anvil import Anvil

CREATE = ("address", "create", "--chain", "ethereum", "--label", "alice", "--metadata", '{"id": 7}')


def test_a_standing_address_is_made_listed_shown_and_archived(tmp_path: Path, anvil: Anvil) -> None:
    configure(tmp_path, anvil)
    alone = json.loads(watcher(*CREATE, "--json", cwd=tmp_path).stdout)
    with running("run", cwd=tmp_path) as process:
        process.wait_for("daemon.ready")
        made = watcher(*CREATE, "--confirmations", "3", cwd=tmp_path).stdout
        anvil.send(alone["address"], 10**17)
        anvil.mine()
        process.wait_for('"transfers": 1')
        listed = json.loads(watcher("address", "list", "--label", "alice", "--json", cwd=tmp_path).stdout)
        shown = watcher("address", "show", alone["id"], cwd=tmp_path).stdout
        removed = watcher("address", "remove", alone["id"], cwd=tmp_path)
        archived = watcher("address", "list", "--archived", cwd=tmp_path).stdout
        exported = watcher("addresses", "ethereum", "--used", cwd=tmp_path).stdout

    assert ("alice", {"id": 7}) == (alone["label"], alone["metadata"])
    assert "adr_" in made
    assert alone["id"] == listed["data"][1]["id"]
    assert [3, alone["confirmations"]] == [one["confirmations"] for one in listed["data"]]
    assert all(word in shown for word in ("0.1", "pending", "ETH", "credited"))
    assert (0, f"{alone['id']} is archived; it stays watched\n") == (removed.returncode, removed.stdout)
    assert alone["id"] in archived
    assert f"0,{alone['address']},,yes,{alone['id']}" in exported


def test_what_is_wrong_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    configure(tmp_path)
    for words, said in (
        (("address", "create", "--chain", "ethereum", "--metadata", "{"), "--metadata: is not JSON"),
        (("address", "create", "--chain", "nowhere"), "--chain: 'nowhere' is not configured"),
        (("address", "show", "adr_x"), "there is no standing address adr_x"),
        (("address", "remove", "adr_x"), "there is no standing address adr_x"),
    ):
        result = watcher(*words, cwd=tmp_path)
        assert (True, "", 1) == (said in result.stderr, result.stdout, result.stderr.count("\n")), (
            result.stderr
        )
