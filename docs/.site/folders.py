"""A hook of the site's generator: an entry of `nav` that ends in / becomes the pages of that folder.

So a new runbook or decision is in the menu without a line in properdocs.yml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Put the pages of folders in the place of the folders' names."""
    config["nav"] = [_expanded(entry, Path(config["docs_dir"])) for entry in config["nav"]]
    return config


def _expanded(entry: Any, docs: Path) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {
        title: sorted(str(page.relative_to(docs)) for page in (docs / below).glob("*.md"))
        if isinstance(below, str) and below.endswith("/")
        else below
        for title, below in entry.items()
    }
