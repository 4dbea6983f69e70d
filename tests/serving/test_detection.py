"""`/detect` as an application calls it: a real server, a real detector graph, real and broken pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

from contracts import ReleaseManifest, Task
from models.vision import SIGNATURE, DetectorSpec, Head, build_parts, merge_parts
from serving import Role
from tests.models.vision.networks import answering

from .city import City
from .running import Server, free_port, run_server, settings_of

LABELS = ("bin", "water")
SIZE, ANCHORS = 64, 84
JPEG = {"Content-Type": "image/jpeg"}


def detector() -> bytes:
    """Return a detector that sees water (.9) in the middle and a bin (.3) at the upper left of every picture."""
    raw = np.zeros((4 + len(LABELS), ANCHORS), np.float32)
    raw[:, 0] = [32, 32, 16, 16, 0, 0.9]
    raw[:, 1] = [16, 28, 8, 4, 0.3, 0]
    spec = DetectorSpec(family="test", labels=LABELS, size_px=SIZE, head=Head.ULTRALYTICS)
    return bytes(merge_parts(spec, build_parts(spec, answering(raw, SIZE))).SerializeToString())


def release(city: City, name: str, content: bytes) -> None:
    manifest = ReleaseManifest(
        name=name,
        version=3,
        task=Task.DETECT,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        signature=SIGNATURE,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        labels=LABELS,
    )
    city.releases.put(content, manifest, None)
    city.promote(manifest)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("detection")
    city = City(folder)
    release(city, "street.watch", detector())
    city.promote(city.release_mean(1))
    settings = settings_of(city.store_url, city.releases_url, free_port(), max_body_bytes=2_000_000)
    with run_server(settings, folder / "serving.log") as running:
        yield running
    city.close()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client(Role.VIEWER) as opened:
        yield opened


def encode(picture: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def plain(width: int = 128, height: int = 32, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_boxes_are_in_pixels_of_the_picture(client: httpx.Client, form: str) -> None:
    response = client.post("/detect", content=encode(plain(), form), headers={"Content-Type": f"image/{form.lower()}"})
    assert response.status_code == 200
    document = response.json()
    assert (document["model"], document["version"]) == ("street.watch", 3)
    assert (document["width"], document["height"]) == (128, 32)
    first, second = document["detections"]
    assert first["label"] == "water"
    assert first["score"] == pytest.approx(0.9)
    np.testing.assert_allclose(first["box_xyxy_px"], [48, 0, 80, 32], atol=1e-3)
    assert second["label"] == "bin"


def test_threshold_and_limit(client: httpx.Client) -> None:
    by_score = client.post("/detect", content=encode(plain()), params={"threshold": 0.5}).json()
    by_count = client.post("/detect", content=encode(plain()), params={"limit": 1, "model": "street.watch"}).json()
    assert [each["label"] for each in by_score["detections"]] == ["water"]
    assert [each["label"] for each in by_count["detections"]] == ["water"]


def test_exif_rotation_is_honoured(client: httpx.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    document = client.post("/detect", content=encode(plain(), exif=exif)).json()
    assert (document["width"], document["height"]) == (32, 128)
    np.testing.assert_allclose(document["detections"][0]["box_xyxy_px"], [0, 48, 32, 80], atol=1e-3)


def test_many_sizes_at_once(client: httpx.Client) -> None:
    sizes = [(40 + 8 * n, 200 - 6 * n) for n in range(12)]

    def ask(size: tuple[int, int]) -> dict[str, object]:
        return client.post("/detect", content=encode(plain(*size))).json()

    with ThreadPoolExecutor(6) as pool:
        documents = list(pool.map(ask, sizes))
    assert [(each["width"], each["height"]) for each in documents] == sizes
    for (width, height), document in zip(sizes, documents, strict=True):
        left, top, right, bottom = document["detections"][0]["box_xyxy_px"]
        assert (left + right) / 2 == pytest.approx(width / 2, abs=1.5)
        assert (top + bottom) / 2 == pytest.approx(height / 2, abs=1.5)


def test_a_form_of_several_pictures(client: httpx.Client) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    files = [
        ("pictures", ("one.jpg", encode(plain()), "image/jpeg")),
        ("pictures", ("broken.jpg", encode(noise)[:1500], "image/jpeg")),
        ("pictures", ("two.png", encode(plain(64, 64), "PNG"), "image/png")),
    ]
    response = client.post("/detect", files=files)
    assert response.status_code == 207
    pictures = response.json()["pictures"]
    assert [each["name"] for each in pictures] == ["one.jpg", "broken.jpg", "two.png"]
    assert "broken.jpg is broken or truncated" in pictures[1]["error"]
    assert len(pictures[2]["detections"]) == 2
    whole = client.post("/detect", files=[files[0], files[2]])
    assert whole.status_code == 200
    none = client.post("/detect", files=[files[1]])
    assert none.status_code == 422


def deep() -> bytes:
    return encode(Image.fromarray(np.zeros((4, 4), np.uint16)), "PNG")


def deep_colours() -> bytes:
    """Return a PNG with 16 bits a colour, written by hand: Pillow writes none."""
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = (4).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    rows = zlib.compress((b"\x00" + bytes(4 * 6)) * 4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animated() -> bytes:
    return encode(plain(8, 8), "PNG", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])


BROKEN = {
    "no picture": (lambda: b"hello", "neither JPEG nor PNG"),
    "nothing": (lambda: b"", "neither JPEG nor PNG"),
    "gif": (lambda: encode(plain(mode="P"), "GIF"), "neither JPEG nor PNG"),
    "100 megapixels": (lambda: encode(plain(12_000, 9_000, "1"), "PNG"), "more than the 50,000,000 allowed"),
    "print colours": (lambda: encode(plain(mode="CMYK")), "'CMYK'"),
    "16 bits of grey": (deep, "'I;16'"),
    "16 bits a colour": (deep_colours, "16 bits a colour"),
    "animated": (animated, "is animated"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_used_is_told(client: httpx.Client, kind: str) -> None:
    make, words = BROKEN[kind]
    response = client.post("/detect", content=make(), headers=JPEG)
    assert response.status_code == 422
    assert words in response.json()["error"]


def test_a_truncated_picture_and_a_long_body_are_refused(client: httpx.Client) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (900, 900, 3), np.uint8))
    data = encode(noise, quality=95)
    assert client.post("/detect", content=data[:100_000]).status_code == 422
    assert client.post("/detect", content=bytes(2_000_001)).status_code == 413


def test_wrong_questions_are_told(client: httpx.Client, server: Server) -> None:
    data = encode(plain())
    assert client.post("/detect", content=data, params={"model": "nobody"}).status_code == 404
    wrong = client.post("/detect", content=data, params={"model": "mean"})
    assert (wrong.status_code, "does not detect" in wrong.text) == (422, True)
    assert client.post("/detect", content=data, params={"threshold": 2}).status_code == 422
    assert client.post("/detect", content=data, headers={"x-deadline-ms": "no"}).status_code == 400
    with server.client(None) as stranger:
        assert stranger.post("/detect", content=data).status_code == 401
    empty = client.post("/detect", content=b"--x--\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (empty.status_code, "no file" in empty.text) == (400, True)
    unbound = client.post("/detect", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert (unbound.status_code, "cannot be read" in unbound.text) == (400, True)


def test_more_pictures_than_allowed_are_refused(client: httpx.Client) -> None:
    one = encode(plain(8, 8))
    response = client.post("/detect", files=[("p", (f"{n}.jpg", one, "image/jpeg")) for n in range(65)])
    assert response.status_code == 413
    assert "more than 64 pictures" in response.json()["error"]


def test_a_picture_as_a_tensor_gives_the_same_boxes(client: httpx.Client) -> None:
    tensor = {"name": "image", "shape": [32, 128, 3], "datatype": "UINT8", "data": [0] * (32 * 128 * 3)}
    answer = client.post("/v2/models/street.watch/infer", json={"inputs": [tensor]}).json()
    outputs = {each["name"]: each["data"] for each in answer["outputs"]}
    document = client.post("/detect", content=encode(plain(), "PNG")).json()
    np.testing.assert_allclose(outputs["boxes"][:4], document["detections"][0]["box_xyxy_px"], atol=1e-4)


def test_the_route_is_described(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/detect"]["post"]
    assert set(operation["requestBody"]["content"]) == {"image/jpeg", "image/png", "multipart/form-data"}
    assert "/detect" in client.get("/docs").text
