"""One demo for all tests of the chain: it takes about a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def run_cityforge(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CITYFORGE_")}
    command = [sys.executable, "-P", "-m", "cityforge", *arguments]
    return subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False, timeout=280
    )


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, but for a user's own packages with our rooms' names, which must not shadow ours."""
    folder = tmp_path_factory.mktemp("demo")
    for name in ("models", "training", "store"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('the folder of the user was imported')\n")
    return folder


@pytest.fixture(scope="session")
def first_demo(demo_folder: Path) -> dict[str, Any]:
    run = run_cityforge(demo_folder, "demo", "--json")
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result
