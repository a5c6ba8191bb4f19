"""Our own source files as syntax trees: what each imports, says and holds. Runs none of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OURS = ("watcher", "chains")


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one name, by its full dotted path. `typing_only`: under `if TYPE_CHECKING`."""

    target: str
    typing_only: bool


@dataclass(frozen=True)
class Source:
    """One module."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.path.read_text().splitlines())

    def imports(self) -> list[Import]:
        """Return what it imports, those inside functions too; names inside modules as module.name."""
        typing_only = {id(node) for block in self._typing_blocks() for node in ast.walk(block)}
        return [Import(target, id(node) in typing_only) for node in self.nodes() for target in _targets(node)]

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in self.nodes() if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def strings(self) -> Iterator[str]:
        """Return every text that the program can say: docstrings are left out."""
        silent = {id(node.value) for node in self.nodes() if isinstance(node, ast.Expr)}
        for node in self.nodes():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
                yield node.value

    def names(self) -> Iterator[str]:
        """Return every name and attribute that it uses."""
        for node in self.nodes():
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr

    def calls(self) -> Iterator[str]:
        """Return what it calls, as written: `chains.load`, `float`."""
        return (ast.unparse(node.func) for node in self.nodes() if isinstance(node, ast.Call))

    def _typing_blocks(self) -> Iterator[ast.If]:
        for node in self.nodes():
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                yield node


@cache
def sources() -> dict[str, Source]:
    """Return every module of ours by its name."""
    files = (path for package in OURS for path in sorted((ROOT / package).rglob("*.py")))
    found = (Source(_name(path), path, ast.parse(path.read_text(), str(path))) for path in files)
    return {source.name: source for source in found}


def arrows(source: Source) -> dict[str, bool]:
    """Return the modules of ours that it imports, each with whether only type checkers see it."""
    found: dict[str, bool] = {}
    for each in source.imports():
        target = module_of(each.target)
        if target:
            found[target] = found.get(target, True) and each.typing_only
    return found


def module_of(target: str) -> str | None:
    """Return the module of ours that an imported path lies in, None for anybody else's."""
    while target and target not in sources():
        target = target.rpartition(".")[0]
    return target or None


def _targets(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [each.name for each in names]
        case ast.ImportFrom(module=str(module), names=names, level=0):
            return [f"{module}.{each.name}" for each in names]
        case ast.ImportFrom():
            raise AssertionError(f"a relative import: {ast.unparse(node)}")
        case _:
            return []


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
