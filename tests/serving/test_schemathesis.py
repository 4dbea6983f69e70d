"""Schemathesis judges the published description: whatever fits it, and much that does not, never ends in a 5xx."""

import subprocess
import sys
from pathlib import Path

import pytest

from serving import Role

from .city import populated
from .running import KEYS, free_port, run_server, settings_of

EXAMPLES = "5"
UNLOAD = "post_v2_repository_models_name_unload"
COMMAND = (
    *(sys.executable, "-m", "schemathesis.cli", "run", "--checks", "not_a_server_error", "--continue-on-failure"),
    *("--max-examples", EXAMPLES, "--seed", "1", "--phases", "examples,coverage,fuzzing"),
    *("--warnings", "off", "--no-color", "-H", f"Authorization: Bearer {KEYS[Role.ADMINISTRATOR]}"),
)


@pytest.mark.slow
def test_no_request_ends_in_a_server_error(tmp_path: Path):
    """It learns the models' names and would unload them, whereupon 503 is the right answer: it may do that last."""
    city = populated(tmp_path)
    others = {"clock": "ticks", "max_body_bytes": 1_000_000}
    with run_server(settings_of(city.store_url, city.releases_url, free_port(), **others), tmp_path / "log") as server:
        for choice in ("--exclude-operation-id", "--include-operation-id"):
            command = [*COMMAND, choice, UNLOAD, f"{server.url}/openapi.json"]
            found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
            assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
            assert "No issues found" in found.stdout
    assert "Traceback" not in server.log.read_text()
    city.close()
