"""The kinds of chain are the files of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import chains


def test_a_kind_is_a_file_that_neither_is_shared_nor_stands_beside_one() -> None:
    files = {path.stem for path in Path(chains.__file__).parent.glob("*.py")}
    beside = {name for name in files if "_" in name}

    assert chains.kinds() == sorted(files - beside - {"base", "config", "keys", "naive", "rpc"})


@pytest.mark.parametrize("kind", chains.kinds())
def test_each_kind_can_be_loaded_and_offers_its_configuration_and_its_adapter(kind: str) -> None:
    module = chains.load(kind)

    assert module.Config.__name__ == "Config"
    assert callable(module.Adapter)


def test_a_new_file_is_a_new_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toycoin.py").write_text("Adapter = 'adapter'\n", encoding="ascii")
    (tmp_path / "toycoin_blocks.py").write_text("", encoding="ascii")
    monkeypatch.setattr(chains, "__path__", [str(tmp_path)])

    assert chains.kinds() == ["toycoin"]
    assert chains.load("toycoin").Adapter == "adapter"


@pytest.mark.parametrize("kind", ["", "bitcoim", "base", "keys", "..os", "bitcoin_block"])
def test_an_unknown_kind_is_refused_naming_those_that_exist(kind: str) -> None:
    with pytest.raises(ValueError, match=r"unknown kind of chain .*: it is one of"):
        chains.load(kind)
