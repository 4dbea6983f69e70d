"""A bundle is the folder's texts, the same bytes for the same texts, and leads nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import ConfigurationError, load_pack
from knowledge_graph import RuleBundle, compile_rules, load_procedures, load_rules
from tests.early_warning.worlds import write_pack


def bundle(folder: Path) -> RuleBundle:
    pack = load_pack(folder)
    return RuleBundle.of_folder(pack.header.id, pack.rules, pack.procedures, pack.header.timezone)


def test_a_bundle_means_what_its_folder_means(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "pack")
    pack = load_pack(folder)
    content = bundle(folder).to_bytes()
    assert content == bundle(write_pack(tmp_path / "again")).to_bytes()
    loaded = compile_rules(RuleBundle.parse(content).load(pack.signs, pack.places))
    own = load_rules(
        pack.rules, pack.signs, pack.places, load_procedures(pack.procedures), timezone=pack.header.timezone
    )
    assert loaded.digest == compile_rules(own).digest
    rule = folder / "rules" / "supply.yaml"
    rule.write_text(rule.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    assert bundle(folder).sha256 != RuleBundle.parse(content).sha256


def test_problems_of_a_bundle_are_told_with_file_and_line(tmp_path: Path) -> None:
    folder = write_pack(tmp_path)
    pack = load_pack(folder)
    rule = folder / "rules" / "supply.yaml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("do: SOP-1", "do: SOP-9"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"supply\.yaml:\d+.*SOP-9"):
        bundle(folder).load(pack.signs, pack.places)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"not json", "Invalid JSON"),
        (b'{"format": "other", "pack": "p", "timezone": "UTC", "rules": {}}', "format"),
        (b'{"pack": "p", "timezone": "UTC", "rules": {"../evil.yaml": ""}}', "no plain file name"),
        (b'{"pack": "p", "timezone": "UTC", "rules": {"a.exe": ""}}', "no plain file name"),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        RuleBundle.parse(content)


def test_a_bundle_beyond_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge_graph.bundles.MAXIMUM_BUNDLE_BYTES", 10)
    with pytest.raises(ConfigurationError, match="more than 10 bytes"):
        RuleBundle.parse(b" " * 11)
