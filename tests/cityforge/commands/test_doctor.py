"""The doctor finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cityforge.settings import load_settings
from cityforge.workspace import Workspace
from tests.cityforge.conftest import Command


def test_a_healthy_folder_is_fine(cityforge: Command, project: Path) -> None:
    (project / "cityforge.toml").write_text('packs = ["water_main"]\nport = 9\n')
    outcome = cityforge("doctor", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.data["fine"]
    names = {check["name"] for check in outcome.data["checks"]}
    assert {"python", "packages", "settings", "disk", "store", "ledger", "packs", "models", "runtime"} <= names


def test_a_broken_audit_is_found(cityforge: Command, project: Path) -> None:
    with Workspace(load_settings()) as workspace:
        workspace.store.audit.append("me", "sign.imported", "water_main.flow")
    with sqlite3.connect(project / ".cityforge" / "store.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE audit SET actor = 'somebody else'")
    database.close()
    outcome = cityforge("doctor", "--json")
    assert outcome.code == 3
    (wrong,) = [check for check in outcome.data["checks"] if not check["fine"]]
    assert wrong["name"] == "ledger"
    assert "broken" in wrong["detail"]


def test_sign_and_time_belong_together(cityforge: Command, project: Path) -> None:
    outcome = cityforge("doctor", "--sign", "water_main.flow")
    assert outcome.code == 2
    assert "belong together" in outcome.err
