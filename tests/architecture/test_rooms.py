"""The house: which rooms there are, how large their parts are, and what they may load."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
ROOMS = [package for package in PACKAGES if package != "scenarios"]
NOT_INSTALLED = {"tests", "benchmarks", "docs", "deploy"}
LAZY = {"torch", "torchvision", "ultralytics", "mlflow", "ray", "onnx"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc"}
MISTAKEN_FOR_YOLOV5 = {"yolo.py", "common.py", "experimental.py"}
MAXIMUM_FILE_LINES = 500
MAXIMUM_FUNCTION_LINES = 60


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders or tuple(ROOMS):
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_every_package_at_the_root_is_declared():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_INSTALLED
    assert found == set(ROOMS)
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == set(ROOMS)


def test_every_room_is_typed():
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").exists()] == []


def test_no_file_passes_500_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(*ROOMS, "tests", "benchmarks")
        if (lines := len(path.read_text().splitlines())) > MAXIMUM_FILE_LINES
    }
    assert long == {}


def test_no_function_passes_60_lines():
    long = {}
    for path in sources():
        if path.parent.name == "versions":  # a migration is a list of tables
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                start = node.body[0].end_lineno if ast.get_docstring(node) is not None else node.lineno
                if start is not None and node.end_lineno - start > MAXIMUM_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = node.end_lineno - start
    assert long == {}


def test_modules_have_names_that_say_something():
    bad = [str(path) for path in sources() if path.stem in FORBIDDEN_NAMES]
    mistaken = [str(path) for path in (ROOT / "models").glob("*.py") if path.name in MISTAKEN_FOR_YOLOV5]
    assert bad + mistaken == []


def test_imports_inside_functions_are_for_heavy_packages_alone():
    """Function-level imports are for torch, ultralytics, mlflow, ray and onnx; the command line defers whole rooms."""
    found = {}
    for path in sources(*(room for room in ROOMS if room != "cityforge")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                heavy_home = {name for name in names if name.split(".")[0] not in LAZY}
                if heavy_home and not _is_deferred_with_reason(path, node):
                    found[f"{path.relative_to(ROOT)}:{node.lineno}"] = sorted(heavy_home)
    assert found == {}


def _is_deferred_with_reason(path: Path, node: ast.AST) -> bool:
    """A deferred import of something else is allowed where the line above or the line itself says why."""
    lines = path.read_text().splitlines()
    at = getattr(node, "lineno", 1)
    return "# deferred:" in lines[at - 1] or "# deferred:" in lines[max(at - 2, 0)]


def test_no_pickle_is_ever_read():
    pattern = re.compile(
        r"\b(pickle\.load|pickle\.loads|torch\.load|joblib\.load|allow_pickle\s*=\s*True|torch\.hub)\b"
    )
    assert [str(path) for path in sources() if pattern.search(path.read_text())] == []


@pytest.mark.parametrize(
    ("room", "banned"),
    [
        ("serving", ["torch", "mlflow", "ultralytics", "models", "training", "registry"]),
        ("operations", ["torch", "mlflow", "ultralytics", "bentoml"]),
        ("contracts", ["torch", "mlflow", "bentoml", "sqlalchemy", "onnxruntime"]),
        ("store", ["torch", "mlflow", "bentoml", "onnxruntime"]),
        ("early_warning", ["torch", "mlflow", "bentoml", "sqlalchemy", "onnxruntime"]),
        ("knowledge_graph", ["torch", "mlflow", "bentoml", "sqlalchemy", "onnxruntime"]),
        ("gpu", ["torch", "mlflow", "bentoml", "sqlalchemy"]),
        ("registry", ["torch", "mlflow", "bentoml"]),
        ("cityforge", ["torch", "mlflow", "bentoml", "onnxruntime"]),
    ],
)
def test_importing_a_room_stays_lean(room: str, banned: list[str]):
    script = f"import sys, {room}; print([name for name in {banned!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_adrs_are_one_page_with_the_three_parts():
    for path in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        text = path.read_text()
        assert all(part in text for part in ("## Context", "## Decision", "## Consequences")), path.name
        assert len(text.splitlines()) < 80, path.name
