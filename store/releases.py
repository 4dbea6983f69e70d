"""Released files by their sha256: what is read is what was released, or it is refused.

    <root>/<sha256>/model.onnx                 rules.json where it is a set of rules
    <root>/<sha256>/<name>@<version>.json      the manifest
    <root>/<sha256>/golden-<sha256>.npz        inputs and outputs recorded at export

A manifest is written last: where there is one, its files are whole.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import zipfile
from pathlib import Path

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem

from contracts import IDENTIFIER, Array, ArtefactError, ReleaseManifest, Task

from .documents import decode_model, encode_model

MAXIMUM_GOLDEN_BYTES = 1024 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1024 * 1024


class ReleaseStore:
    """Released artefacts in a folder, on this machine or in an object store.

    Args:
        url: a path, or what fsspec understands, such as ``s3://bucket/releases``.
        cache: where artefacts of an object store are kept on this machine.

    Raises:
        ArtefactError: if the URL cannot be used.
    """

    def __init__(self, url: str | Path, cache: Path | None = None) -> None:
        try:
            self._files, root = fsspec.core.url_to_fs(str(url))
        except (ValueError, ImportError, OSError) as exc:
            message = f"The releases' address {str(url)!r} cannot be used: {exc}. Use a path or an fsspec URL."
            raise ArtefactError(message) from exc
        self._root = root.rstrip("/")
        self._local = isinstance(self._files, LocalFileSystem)
        self._cache = cache or _default_cache()

    def put(self, artefact: Path | bytes, manifest: ReleaseManifest, golden: Path | bytes | None = None) -> None:
        """Keep an artefact, its golden inputs and outputs and its manifest; safe to repeat.

        Putting the same name and version again replaces its manifest.

        Args:
            artefact: the ONNX file, or the bundle of rules.
            manifest: names the files' sha256.
            golden: ``.npz`` of arrays, where the manifest names one.

        Raises:
            ArtefactError: if a file is not what the manifest says, or it cannot be written.
        """
        content = _content(artefact)
        what = f"The file of {manifest.name!r} version {manifest.version}"
        _check(content, manifest.sha256, what)
        if len(content) != manifest.size_bytes:
            message = f"{what} has {len(content)} bytes, its manifest says {manifest.size_bytes}. Make it anew."
            raise ArtefactError(message)
        recorded = None if golden is None else _content(golden)
        _check_golden(recorded, manifest)
        self._write(f"{manifest.sha256}/{artefact_file(manifest.task)}", content)
        if recorded is not None:
            self._write(f"{manifest.sha256}/golden-{manifest.golden_sha256}.npz", recorded)
        document = encode_model(manifest, f"The manifest of {manifest.name!r}")
        self._write(_manifest_file(manifest.sha256, manifest.name, manifest.version), document.encode())

    def manifest(self, sha256: str, name: str, version: int) -> ReleaseManifest:
        """Return the manifest of one released version.

        Raises:
            ArtefactError: if there is none, or it names another artefact.
        """
        content = self._read(_manifest_file(sha256, name, version))
        what = f"The manifest of {name!r} version {version}"
        try:
            manifest = decode_model(ReleaseManifest, content.decode(errors="replace"), what)
        except Exception as exc:
            raise ArtefactError(str(exc)) from exc
        if (manifest.sha256, manifest.name, manifest.version) != (sha256, name, version):
            message = f"{what} names another release. Promote the version again."
            raise ArtefactError(message)
        return manifest

    def path(self, sha256: str, task: Task = Task.FORECAST) -> Path:
        """Return a file on this machine that holds the artefact, its sha256 checked just now.

        Args:
            sha256: of the artefact.
            task: what it does; only rules are kept otherwise than as a graph.

        Raises:
            ArtefactError: if it is missing or not what its name says.
        """
        name = f"{_checked(sha256)}/{artefact_file(task)}"
        what = f"The artefact {sha256}"
        if self._local:
            file = Path(self._root, name)
            _check_file(file, sha256, what)
            return file
        file = self._cache / f"{sha256}{Path(name).suffix}"
        if not file.is_file() or _digest(file) != sha256:
            content = self._read(name)
            _check(content, sha256, what)
            _write_atomically(file, content)
        return file

    def golden(self, manifest: ReleaseManifest) -> dict[str, Array] | None:
        """Return the inputs and outputs that a release's manifest names, by name; None if it names none.

        Raises:
            ArtefactError: if they are missing or not what their name says.
        """
        if manifest.golden_sha256 is None:
            return None
        what = f"The golden outputs of {manifest.name!r} version {manifest.version}"
        content = self._read(f"{_checked(manifest.sha256)}/golden-{_checked(manifest.golden_sha256)}.npz")
        _check(content, manifest.golden_sha256, what)
        return _arrays(content, what)

    def copy(self, manifest: ReleaseManifest, target: ReleaseStore) -> None:
        """Put a release, with its golden inputs and outputs, into another store; both are checked on the way.

        Raises:
            ArtefactError: if a file is missing, not what its name says, or cannot be written.
        """
        golden = None
        if manifest.golden_sha256 is not None:
            golden = self._read(f"{_checked(manifest.sha256)}/golden-{_checked(manifest.golden_sha256)}.npz")
        target.put(self.path(manifest.sha256), manifest, golden)

    def _read(self, name: str) -> bytes:
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError as exc:
            message = f"The release has no file {name!r} in {self._root!r}. Promote the version again, or restore it."
            raise ArtefactError(message) from exc
        except OSError as exc:
            message = f"The release's file {name!r} in {self._root!r} cannot be read: {exc}. Check its access."
            raise ArtefactError(message) from exc

    def _write(self, name: str, content: bytes) -> None:
        try:
            if self._local:
                _write_atomically(Path(self._root, name), content)
            else:
                self._files.pipe_file(f"{self._root}/{name}", content)  # an object appears whole or not at all
        except OSError as exc:
            message = f"The release's file {name!r} cannot be written to {self._root!r}: {exc}. Check space and access."
            raise ArtefactError(message) from exc


def artefact_file(task: Task) -> str:
    """Return the name of the file that holds an artefact."""
    return "rules.json" if task is Task.RULES else "model.onnx"


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "cityforge" / "releases"


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        message = f"{sha256!r} is no sha256. Give 64 hexadecimal digits in lower case."
        raise ArtefactError(message)
    return sha256


def _manifest_file(sha256: str, name: str, version: int) -> str:
    if not re.fullmatch(IDENTIFIER.removesuffix("$"), name) or version < 1:
        message = f"{name!r} version {version!r} cannot name a release. Use the registered name and version."
        raise ArtefactError(message)
    return f"{_checked(sha256)}/{name}@{int(version)}.json"


def _content(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as exc:
        message = f"The file {str(source)!r} cannot be read: {exc}. Give the path of a readable file."
        raise ArtefactError(message) from exc


def _check_golden(content: bytes | None, manifest: ReleaseManifest) -> None:
    what = f"The golden outputs of {manifest.name!r} version {manifest.version}"
    if (content is None) != (manifest.golden_sha256 is None):
        message = f"{what} must be given where the manifest names their sha256, and only there."
        raise ArtefactError(message)
    if content is not None and manifest.golden_sha256 is not None:
        _check(content, manifest.golden_sha256, what)
        _arrays(content, what)


def _check(content: bytes, sha256: str, what: str) -> None:
    _compare(hashlib.sha256(content).hexdigest(), sha256, what)


def _check_file(file: Path, sha256: str, what: str) -> None:
    try:
        digest = _digest(file)
    except OSError as exc:
        message = f"{what} cannot be read at {str(file)!r}: {exc}. Promote the version again, or restore it."
        raise ArtefactError(message) from exc
    _compare(digest, sha256, what)


def _compare(digest: str, sha256: str, what: str) -> None:
    if digest != sha256:
        message = f"{what} is damaged: its sha256 is {digest}, not {sha256}. Promote the version again, or restore it."
        raise ArtefactError(message)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _arrays(content: bytes, what: str) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAXIMUM_GOLDEN_BYTES:
            message = f"{what} would take {size} bytes, more than {MAXIMUM_GOLDEN_BYTES}. Record fewer of them."
            raise ArtefactError(message)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, OSError, zipfile.BadZipFile, KeyError, EOFError) as exc:
        message = f"{what} are no readable .npz of plain arrays: {exc}. Export the model again."
        raise ArtefactError(message) from exc


def _write_atomically(file: Path, content: bytes) -> None:
    """Write a file so that its name never holds half of it, even after a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".incoming-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
