"""Every setting, command and mart has a heading of its own, on a page that is made from the code."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
import typer

from cli.commands import COMMANDS
from cli.commands_page import render as render_commands
from cli.main import make_app
from contracts.settings import Settings
from contracts.settings_page import chapter_of
from contracts.settings_page import render as render_settings
from orchestration.assets.marts_page import SCHEMAS, render
from tests.pages import DOCS, ROOT


@pytest.mark.parametrize(
    "module", ["contracts.settings_page", "cli.commands_page", "orchestration.assets.marts_page"], ids=str
)
def test_a_page_is_what_the_code_makes_of_it(module: str) -> None:
    made = import_module(module)
    assert made.PAGE.read_text() == made.render(), f"{made.PAGE.relative_to(ROOT)} is stale: run `make docs`"


def test_every_setting_has_a_heading_once() -> None:
    headings = re.findall(r"^### (.*)$", render_settings(), re.MULTILINE)
    assert sorted(headings) == sorted(name.upper() for name in Settings.model_fields)


def test_a_setting_that_no_chapter_takes_is_named() -> None:
    with pytest.raises(LookupError, match="NONSENSE_PORT: give it a chapter"):
        chapter_of("NONSENSE_PORT")


def test_the_page_of_settings_says_what_is_allowed_and_what_is_secret() -> None:
    page = render_settings()
    assert "Allowed: a whole number, at least 1 and at most 65535. Default: `8123`." in page
    assert "Allowed: `text`, `json`. Default: `text`." in page
    assert "Slack bot token (xoxb-…); none: log and stand-in. *Secret.*" in page


def test_every_command_has_a_heading_and_every_option_a_row() -> None:
    page = render_commands()
    for name, command in typer.main.get_command(make_app(*COMMANDS)).commands.items():
        inner = getattr(command, "commands", None) or {"": command}
        for below, leaf in inner.items():
            heading = f"millrace {name} {below}".rstrip()
            section = re.search(rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)", page, re.MULTILINE | re.DOTALL)
            assert section, heading
            for option in leaf.params:
                assert f"`{option.opts[0]}" in section[1] or option.param_type_name == "argument", option.opts
                assert option.help, f"{heading} {option.opts[0]} does not say what it does"


def test_the_readme_names_every_command_and_no_other() -> None:
    named = set(re.findall(r"^\| `millrace ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named == set(COMMANDS)


def test_every_mart_has_a_heading_and_each_of_its_columns_a_type_and_a_description() -> None:
    models = ROOT / "dbt_project" / "models"
    built = {f"{schema}.{file.stem}" for schema in SCHEMAS for file in (models / schema).glob("*.sql")}
    assert built == set(re.findall(r"^### (.*)$", (DOCS / "marts.md").read_text(), re.MULTILINE))
    rows = re.findall(r"^\| `(.*?)` \| `(.*?)` \| (.*?) \|$", render(), re.MULTILINE)
    assert [name for name, kind, said in rows if not kind or not said] == []
