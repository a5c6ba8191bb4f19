"""Scripts and style sheets of other projects are those of npm, and their licences stand beside them."""

from __future__ import annotations

import hashlib
import json

import pytest

import npm_packages

VENDOR = npm_packages.ROOT / "watcher" / "pages" / "static" / "vendor"
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "pico.min.css": "@picocss/pico/css/pico.min.css",
    "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
}
LICENCES = {
    "htmx.org": ("0BSD", "LICENSE"),
    "@picocss/pico": ("MIT", "LICENSE.md"),
    "uplot": ("MIT", "LICENSE"),
}
OURS = {"LICENSES.md", "SHA512SUMS"}


def test_every_file_of_the_folder_is_accounted_for() -> None:
    sums = (VENDOR / "SHA512SUMS").read_text().splitlines()

    assert {*FILES, *OURS} == {path.name for path in VENDOR.iterdir()}
    assert [
        f"{hashlib.sha512((VENDOR / name).read_bytes()).hexdigest()}  {name}" for name in sorted(FILES)
    ] == sums


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_file_is_byte_for_byte_the_one_of_npm(name: str, file: str) -> None:
    assert npm_packages.read(file) == (VENDOR / name).read_bytes()


@pytest.mark.parametrize(("package", "licence"), LICENCES.items())
def test_a_licence_is_quoted_in_full_beside_the_version(package: str, licence: tuple[str, str]) -> None:
    named, file = licence
    description = json.loads(npm_packages.read(f"{package}/package.json"))
    said = (VENDOR / "LICENSES.md").read_text()

    assert named == description["license"]
    assert f"## {package} {description['version']} ({named}): " in said
    assert npm_packages.read(f"{package}/{file}").decode().strip() in said
