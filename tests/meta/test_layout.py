"""The rules of the tree: who may import whom, and how long things may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "archive",
    "audit",
    "benchmarks",
    "cli",
    "contracts",
    "dashboard",
    "local",
    "monitoring",
    "orchestration",
    "search",
    "sql",
    "streaming",
    "tests",
)
MAY_IMPORT = {
    "contracts": set(),
    "archive": {"contracts", "streaming"},
    "audit": {"contracts", "streaming"},
    "streaming": {"contracts"},
    "orchestration": {"contracts", "archive", "audit"},
    "search": {"contracts", "streaming"},
    "dashboard": {"contracts", "search"},
    "monitoring": {"contracts"},
    "sql": {"contracts"},
    "local": {"contracts", "audit", "sql", "streaming", "orchestration"},
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in names} & set(PACKAGES)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_hop_imports_the_contracts_and_no_other_hop(package: str) -> None:
    for path in sources(package):
        assert imported(path) - {package} <= MAY_IMPORT[package], path


def test_the_audit_shares_nothing_with_the_ingest_that_it_judges() -> None:
    for path in sources("audit"):
        tree = ast.parse(path.read_text())
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        taken = {module for module in modules if module.startswith("streaming")}
        assert all(module.startswith("streaming.kafka.") for module in taken), path


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for package in PACKAGES
        for path in sources(package)
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for package in PACKAGES
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []
