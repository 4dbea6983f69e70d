"""Rules are formatted and set up for editors from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cityforge.packs import SCENARIOS
from tests.cityforge.conftest import Command


@pytest.fixture
def pack(project: Path) -> Path:
    shutil.copytree(SCENARIOS / "construction" / "water_main", project / "pack")
    return project / "pack"


def test_check_changes_nothing_and_says_which(cityforge: Command, pack: Path) -> None:
    rule = pack / "rules" / "leak.yaml"
    rule.write_text(rule.read_text(encoding="utf-8") + "version:   1\n", encoding="utf-8")
    untidy = rule.read_text(encoding="utf-8").replace("version: 1\n", "", 1)
    rule.write_text(untidy, encoding="utf-8")
    checked = cityforge("rules", "fmt", "--check", "pack", "--json")
    assert checked.code == 3
    assert [Path(path).name for path in checked.data["changed"]] == ["leak.yaml"]
    assert rule.read_text(encoding="utf-8") == untidy
    assert cityforge("rules", "fmt", "pack").code == 0
    assert rule.read_text(encoding="utf-8") == (SCENARIOS / "construction/water_main/rules/leak.yaml").read_text()
    assert cityforge("rules", "fmt", "--check", "pack").code == 0


def test_a_single_file_and_a_folder(cityforge: Command, pack: Path) -> None:
    assert cityforge("rules", "fmt", "--check", pack / "rules" / "leak.yaml", "--json").data["files"] == 1
    assert cityforge("rules", "fmt", "--check", pack / "rules", "--json").data["files"] == 3


def test_nothing_is_written_while_a_file_cannot_be_read(cityforge: Command, pack: Path) -> None:
    (pack / "rules" / "broken.yaml").write_text("id: [", encoding="utf-8")
    untidy = "do:   SOP\nid: a\n"
    (pack / "rules" / "untidy.yaml").write_text(untidy, encoding="utf-8")
    outcome = cityforge("rules", "fmt", "pack", "--json")
    assert outcome.code == 2
    assert "broken.yaml:1" in outcome.data["error"]["problems"][0]["where"]
    assert (pack / "rules" / "untidy.yaml").read_text(encoding="utf-8") == untidy


def test_nothing_named_and_an_empty_folder(cityforge: Command, project: Path) -> None:
    (project / "empty").mkdir()
    assert "nothing is named" in cityforge("rules", "fmt").err
    assert "holds no *.yaml" in cityforge("rules", "fmt", "empty").err


def test_the_schema_is_printed(cityforge: Command, project: Path) -> None:
    assert json.loads(cityforge("rules", "schema").out)["title"] == "cityforge rule: one risk"
    assert "steps" in json.dumps(cityforge("rules", "schema", "procedures", "--json").data)


def test_a_pack_is_set_up_for_editors(cityforge: Command, pack: Path) -> None:
    assert cityforge("rules", "schema", "--into", "pack").code == 0
    first = (pack / "rules" / "leak.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../.schema/rule.schema.json"
    assert (pack / "rules" / "../.schema/rule.schema.json").is_file()
    assert cityforge("rules", "check", "pack").code == 0
    assert cityforge("rules", "fmt", "--check", "pack").code == 0
    again = cityforge("rules", "schema", "--into", "pack", "--json")
    assert len(again.data["written"]) == 2
