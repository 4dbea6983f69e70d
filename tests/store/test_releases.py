"""Released files: what is read is what was released, or it is refused."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from contracts import ArtefactError
from store import ReleaseStore

from .examples import ONNX, make_manifest

SHA256 = hashlib.sha256(ONNX).hexdigest()


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


GOLDEN = _npz(context=np.array([[1, np.nan]], np.float32), quantiles=np.ones((1, 2, 3), np.float32))


@pytest.fixture(params=["local", "memory"])
def releases(request: pytest.FixtureRequest, tmp_path: Path) -> ReleaseStore:
    if request.param == "local":
        return ReleaseStore(tmp_path / "releases")
    MemoryFileSystem.store.clear()
    return ReleaseStore("memory://releases", cache=tmp_path / "cache")


def _with_golden(**changes: Any) -> Any:
    return make_manifest(golden_sha256=hashlib.sha256(GOLDEN).hexdigest(), **changes)


def test_what_was_put_comes_back(releases: ReleaseStore, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(ONNX)
    releases.put(file, _with_golden(), GOLDEN)
    assert releases.manifest(SHA256, "flow-ridge", 1) == _with_golden()
    assert releases.path(SHA256).read_bytes() == ONNX
    golden = releases.golden(_with_golden())
    assert golden is not None
    np.testing.assert_array_equal(golden["context"], np.array([[1, np.nan]], np.float32))
    assert golden["quantiles"].dtype == np.float32


def test_put_may_be_repeated_and_versions_share_an_artefact(releases: ReleaseStore) -> None:
    for version in (1, 1, 2):
        releases.put(ONNX, make_manifest(version))
    assert releases.manifest(SHA256, "flow-ridge", 2).version == 2
    assert releases.manifest(SHA256, "flow-ridge", 1).version == 1
    assert releases.golden(make_manifest()) is None


def test_two_releases_of_one_artefact_keep_golden_outputs_of_their_own(releases: ReleaseStore) -> None:
    other = _npz(context=np.zeros((1, 2), np.float32), quantiles=np.zeros((1, 1, 3), np.float32))
    second = make_manifest(2, golden_sha256=hashlib.sha256(other).hexdigest())
    releases.put(ONNX, _with_golden(), GOLDEN)
    releases.put(ONNX, second, other)
    first_golden, second_golden = releases.golden(_with_golden()), releases.golden(second)
    assert first_golden is not None
    assert second_golden is not None
    assert np.isnan(first_golden["context"]).any()
    assert not second_golden["context"].any()


def test_a_file_that_is_not_what_its_manifest_says_is_refused(releases: ReleaseStore) -> None:
    with pytest.raises(ArtefactError, match="sha256 is"):
        releases.put(ONNX + b"!", make_manifest())
    with pytest.raises(ArtefactError, match="has 40 bytes, its manifest says 41"):
        releases.put(ONNX, make_manifest(size_bytes=41))
    with pytest.raises(ArtefactError, match="sha256 is"):
        releases.put(ONNX, _with_golden(), GOLDEN + b"!")
    with pytest.raises(ArtefactError, match="must be given where the manifest names their sha256"):
        releases.put(ONNX, _with_golden())
    with pytest.raises(ArtefactError, match="must be given where the manifest names their sha256"):
        releases.put(ONNX, make_manifest(), GOLDEN)
    with pytest.raises(ArtefactError, match="has no file"):
        releases.manifest(SHA256, "flow-ridge", 1)


def test_golden_outputs_with_pickles_or_bombs_are_refused(
    releases: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = _npz(context=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ArtefactError, match=r"no readable .npz of plain arrays"):
        releases.put(ONNX, make_manifest(golden_sha256=hashlib.sha256(pickled).hexdigest()), pickled)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("context.npy", b"\0" * 2_000_000)
    bomb = stream.getvalue()
    monkeypatch.setattr("store.releases.MAXIMUM_GOLDEN_BYTES", 1_000_000)
    with pytest.raises(ArtefactError, match="would take 2000000 bytes"):
        releases.put(ONNX, make_manifest(golden_sha256=hashlib.sha256(bomb).hexdigest()), bomb)


def test_a_damaged_artefact_is_never_given_out(tmp_path: Path) -> None:
    releases = ReleaseStore(tmp_path)
    releases.put(ONNX, _with_golden(), GOLDEN)
    releases.path(SHA256).write_bytes(ONNX.replace(b"store", b"thief"))
    with pytest.raises(ArtefactError, match=f"The artefact {SHA256} is damaged"):
        releases.path(SHA256)
    next((tmp_path / SHA256).glob("golden-*")).write_bytes(GOLDEN[:-5])
    with pytest.raises(ArtefactError, match=r"golden outputs of 'flow-ridge' version 1 is damaged"):
        releases.golden(_with_golden())
    (tmp_path / SHA256 / "flow-ridge@1.json").write_text('{"name": "flow-ridge"')
    with pytest.raises(ArtefactError, match="manifest of 'flow-ridge' version 1 is damaged"):
        releases.manifest(SHA256, "flow-ridge", 1)
    (tmp_path / SHA256 / "flow-ridge@1.json").write_text(make_manifest(2).model_dump_json())
    with pytest.raises(ArtefactError, match="names another release"):
        releases.manifest(SHA256, "flow-ridge", 1)


def test_an_object_store_is_checked_and_its_cache_too(tmp_path: Path) -> None:
    MemoryFileSystem.store.clear()
    releases = ReleaseStore("memory://releases", cache=tmp_path)
    releases.put(ONNX, make_manifest())
    releases.path(SHA256).write_bytes(b"spoilt on this machine")
    assert releases.path(SHA256).read_bytes() == ONNX
    releases.path(SHA256).unlink()
    MemoryFileSystem().pipe_file(f"/releases/{SHA256}/model.onnx", b"spoilt in the object store")
    with pytest.raises(ArtefactError, match="is damaged"):
        releases.path(SHA256)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trick", ["../" * 3 + "etc/passwd", "", "A" * 64, "a" * 63, "a" * 64 + "\n", "/" + "a" * 63])
def test_a_sha256_that_is_a_path_is_refused(releases: ReleaseStore, trick: str) -> None:
    def ask_golden(sha256: str) -> object:
        return releases.golden(_with_golden().model_copy(update={"sha256": sha256}))

    for ask in (releases.path, ask_golden, lambda sha256: releases.manifest(sha256, "flow-ridge", 1)):
        with pytest.raises(ArtefactError, match="is no sha256"):
            ask(trick)


@pytest.mark.parametrize(("name", "version"), [("../flow", 1), ("a/b", 1), ("", 1), ("flow\n", 1), ("flow", 0)])
def test_a_name_that_is_a_path_is_refused(releases: ReleaseStore, name: str, version: int) -> None:
    with pytest.raises(ArtefactError, match="cannot name a release"):
        releases.manifest(SHA256, name, version)


def test_what_is_missing_is_named(releases: ReleaseStore, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"model.onnx|cannot be read at"):
        releases.path("0" * 64)
    with pytest.raises(ArtefactError, match="cannot be read"):
        releases.put(tmp_path / "none.onnx", make_manifest())
    with pytest.raises(ArtefactError, match="address 'nosuch://x' cannot be used"):
        ReleaseStore("nosuch://x")


def test_nothing_half_written_stays_behind(tmp_path: Path) -> None:
    releases = ReleaseStore(tmp_path)
    (tmp_path / SHA256).mkdir()
    (tmp_path / SHA256 / "model.onnx").mkdir()  # a folder stands where the file should go
    with pytest.raises(ArtefactError, match="cannot be written"):
        releases.put(ONNX, make_manifest())
    assert [path.name for path in (tmp_path / SHA256).iterdir()] == ["model.onnx"]
