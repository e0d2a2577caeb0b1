"""`.env.example` names every setting with its default, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from contracts.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"


def shown(default: object) -> str:
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_example_names_every_setting_with_its_default_and_nothing_else() -> None:
    named = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    assert named == {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()}


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
