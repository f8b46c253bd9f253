"""Finds every regular expression of the shipped packages, by reading their source and importing them."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = (
    "llm_providers",
    "service_kit",
    "rag_service",
    "notes_service",
    "doc_processor",
    "graph_service",
    "switchyard",
)
_SUPERVISOR = Path(__file__).parents[2] / "deploy/vllm/supervisor.py"
_CALLS = {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
_USES = _CALLS - {"compile"}
_ANCHORED = {"match", "fullmatch"}


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern, where it stands, and the methods that it is used with (all that search, where that is not known)."""

    pattern: re.Pattern[Any]
    place: str
    uses: frozenset[str]

    @property
    def anchored(self) -> bool:
        """Whether it is only ever tried at one place of a text."""
        return self.uses <= _ANCHORED


@dataclass(frozen=True, slots=True)
class BuiltAtRunTime:
    """A call whose pattern only exists while the program runs, so that nobody can have looked at it before."""

    place: str


@cache
def patterns() -> tuple[tuple[Found, ...], tuple[BuiltAtRunTime, ...]]:
    """Return every pattern once, and the places whose patterns cannot be known."""
    found: dict[tuple[str, Any, int, bool], Found] = {}
    unknown: list[BuiltAtRunTime] = []
    modules = list(_modules())
    trees = {module.__name__: ast.parse(Path(str(module.__file__)).read_text("utf-8")) for module in modules}
    anywhere = _uses(trees.values())
    for module in modules:
        here = _uses([trees[module.__name__]])
        for each in _in_source(module, trees[module.__name__]):
            if isinstance(each, BuiltAtRunTime):
                unknown.append(each)
            else:
                found.setdefault(_identity(each), each)
        for name, value in vars(module).items():
            for pattern in _held(value, set()):
                used = (here if name.startswith("_") else anywhere).get(name, ())
                uses = frozenset(used if isinstance(value, re.Pattern) else ())
                each = Found(pattern, f"{module.__name__}.{name}", uses or frozenset({"search"}))
                found.setdefault(_identity(each), each)
    return tuple(found.values()), tuple(unknown)


def _identity(found: Found) -> tuple[str, Any, int, bool]:
    return type(found.pattern.pattern).__name__, found.pattern.pattern, found.pattern.flags, found.anchored


def _modules() -> Iterator[ModuleType]:
    for package in PACKAGES:
        root = importlib.import_module(package)
        yield root
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not module.name.endswith(("__main__", ".migrations.env")):
                yield importlib.import_module(module.name)
    spec = importlib.util.spec_from_file_location("supervisor", _SUPERVISOR)
    assert spec is not None
    assert spec.loader is not None
    supervisor = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("supervisor", supervisor)
    # It imports what lies beside it.
    sys.path.append(str(_SUPERVISOR.parent))
    spec.loader.exec_module(supervisor)
    yield supervisor


def _in_source(module: ModuleType, tree: ast.AST) -> Iterator[Found | BuiltAtRunTime]:
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and _is_re(node.func) and node.args):
            continue
        assert isinstance(node.func, ast.Attribute)
        place = f"{module.__name__}:{node.lineno}"
        method = node.func.attr
        if method == "compile" and isinstance(parents[node], ast.Assign):
            continue  # a constant of the module, which is found by its name
        flags = next((word.value for word in node.keywords if word.arg == "flags"), None)
        position = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(method, 2)
        flags = node.args[position] if flags is None and len(node.args) > position else flags
        outer = parents[node]
        chained = outer.attr if isinstance(outer, ast.Attribute) else "search"
        try:
            pattern = re.compile(_value(node.args[0], module), _value(flags, module) if flags is not None else 0)
        except NameError:
            if not _inside_module_function(node, parents, module):
                yield BuiltAtRunTime(place)
            continue
        yield Found(pattern, place, frozenset({chained if method == "compile" else method}))


def _inside_module_function(node: ast.AST, parents: dict[ast.AST, ast.AST], module: ModuleType) -> bool:
    """Whether the call stands in a function that is called at import only, to make constants of the module."""
    while not isinstance(node, ast.FunctionDef):
        if node not in parents:
            return True
        node = parents[node]
    returns = getattr(vars(module).get(node.name), "__annotations__", {}).get("return", "")
    return str(returns).startswith("re.Pattern")


def _value(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))


def _is_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in _CALLS
    )


def _uses(trees: Iterable[ast.AST]) -> dict[str, set[str]]:
    """Map the name of a constant to the methods that are called on it, anywhere."""
    used: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and node.attr in _USES):
                continue
            holder = node.value
            name = holder.id if isinstance(holder, ast.Name) else getattr(holder, "attr", None)
            if name is not None:
                used.setdefault(name, set()).add(node.attr)
    return used


def _held(value: Any, seen: set[int]) -> Iterator[re.Pattern[Any]]:
    """Yield the patterns in a constant: itself, or in the containers that it is made of."""
    if isinstance(value, re.Pattern):
        yield value
    elif id(value) not in seen and isinstance(value, dict | list | tuple | set | frozenset):
        seen.add(id(value))
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        for part in parts:
            yield from _held(part, seen)
