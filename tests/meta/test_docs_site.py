"""The site of docs/ builds without a complaint, has every page in its menu, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import DOCS, ROOT
from tests.patience import PROGRAM_SECONDS


def build(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "properdocs", "build", "--site-dir", str(tree / "site")],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=PROGRAM_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the site is made from, built."""
    copy = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, copy / "docs")
    shutil.copy(ROOT / "properdocs.yml", copy)
    built = build(copy)
    assert built.returncode == 0, built.stdout + built.stderr
    return copy


def test_every_page_is_in_the_site_and_loads_nothing_from_elsewhere(tree: Path) -> None:
    for source in DOCS.rglob("*.md"):
        page = (tree / "site" / source.relative_to(DOCS)).with_suffix(".html").read_text()
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]*?(?:src|href)=\"([^\"]*)\"", page)
        assert loaded
        assert [each for each in loaded if re.match(r"(https?:)?//", each)] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](nowhere.md)", "nowhere.md"),
        ("[gone](alerts.md#nothing)", "nothing"),
        ("nothing", "not included in the"),
    ],
)
def test_a_broken_link_or_a_page_in_no_menu_ends_the_build(tree: Path, text: str, complaint: str) -> None:
    added = tree / "docs" / ("extra.md" if text == "nothing" else "runbooks/extra.md")
    added.write_text(f"# Extra\n\n{text.replace('(', '(../')}\n")
    try:
        built = build(tree)
    finally:
        added.unlink()
    assert built.returncode != 0
    assert complaint in built.stdout + built.stderr
