"""Keys are shown once; their hashes let callers in."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from cityforge.settings import load_settings
from serving import Role
from tests.cityforge.conftest import Command


def test_a_key_is_shown_once_and_only_its_hash_is_kept(cityforge: Command, project: Path) -> None:
    file = project / "cityforge.toml"
    file.write_text("# mine\nport = 4000\n")
    first = cityforge("keys", "new", "duty-desk", "--role", "operator", "--json").data
    second = cityforge("keys", "new", "dashboard", "--role", "viewer", "--json").data
    assert first["key"] != second["key"]
    assert len(first["key"]) >= 43
    assert first["key"] not in file.read_text()
    assert file.read_text().startswith("# mine\nport = 4000\n")
    keys = load_settings(file).keys
    assert [(key.name, key.role) for key in keys] == [("duty-desk", Role.OPERATOR), ("dashboard", Role.VIEWER)]
    assert keys[0].sha256 == sha256(first["key"].encode()).hexdigest()
    listed = cityforge("keys", "list", "--json")
    assert listed.data == {"keys": [{"name": "duty-desk", "role": "operator"}, {"name": "dashboard", "role": "viewer"}]}
    assert keys[0].sha256 not in cityforge("keys", "list").out


def test_a_name_is_given_once(cityforge: Command, project: Path) -> None:
    assert cityforge("keys", "new", "desk", "--role", "viewer").code == 0
    outcome = cityforge("keys", "new", "desk", "--role", "administrator")
    assert outcome.code == 2
    assert "the names of keys must differ" in outcome.err
    assert len(load_settings(project / "cityforge.toml").keys) == 1


def test_an_unknown_role_is_refused(cityforge: Command, project: Path) -> None:
    outcome = cityforge("keys", "new", "desk", "--role", "king")
    assert outcome.code == 2
    assert not (project / "cityforge.toml").exists()
