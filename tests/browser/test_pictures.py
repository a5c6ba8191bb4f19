"""The pictures of the README are there, are shown, say what they show, and are small."""

from __future__ import annotations

import re

import pictures

README = (pictures.KEPT.parents[2] / "README.md").read_text()
SHOWN = {place: words for words, place in re.findall(r"!\[([^\]]+)\]\((tests/[^)]+)\)", README)}


def test_the_readme_shows_every_picture_that_is_kept() -> None:
    kept = [f"tests/browser/pictures/{name}.webp" for name in pictures.NAMES]

    assert sorted(kept) == sorted(SHOWN)
    assert sorted(kept) == sorted(f"tests/browser/pictures/{path.name}" for path in pictures.KEPT.iterdir())


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in pictures.KEPT.iterdir()}

    assert {} == {name: size for name, size in sizes.items() if not 0 < size < pictures.MOST}
