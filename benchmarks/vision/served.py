"""The served path: JPEG in, boxes out of a real serving process, against a raw loop of the same decoder and session.

Both sides are given the same processor: the raw loop runs on as many threads as the server does, the server and its
clients share the machine. Rounds alternate, and the median round counts, so that what else runs disturbs both alike.
"""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np

from cityforge.settings import adapt, load_settings
from cityforge.supervisor import SERVING, Platform
from contracts import decode_picture
from gpu import Session, available_threads, open_session
from models.vision import ChannelOrder, DetectorSpec, Head
from store import ReleaseStore
from training.vision import Boxes, GatesSection, Split, import_detector, measure_accuracy, read_pictures
from training.vision.dataset import LabelledPicture

from .part import Figures, Options, open_registry, progress, say

KEYS = ("yolox_served_map", "jpeg_vs_raw_throughput")
NAME = "street.coco"
ROUNDS, PICTURES_A_ROUND = 7, 96
CONNECTIONS_A_THREAD = 2


def measure(options: Options) -> Figures:
    """Import, promote, serve; judge what comes over HTTP, then race it."""
    with serve_yolox(options) as (platform, session):
        pictures = read_pictures(options.need("coco_val128")).of(Split.VALIDATION)
        client = Client(platform)
        served_map = _served_map(client, pictures)
        client.close()
        ratio = _race(platform, session, [picture.path.read_bytes() for picture in pictures])
    return {"yolox_served_map": served_map, "jpeg_vs_raw_throughput": ratio}


@contextmanager
def serve_yolox(options: Options, size_px: int = 416) -> Iterator[tuple[Platform, Session]]:
    """Serve YOLOX-Nano; yields the running platform and a session of the same released graph."""
    core, folder = options.need("weights", "yolox_nano_coco.onnx"), options.need("coco_val128")
    spec = DetectorSpec(
        family="yolox_nano",
        labels=read_pictures(folder).labels,
        size_px=size_px,
        head=Head.YOLOX,
        channel_order=ChannelOrder.BGR,
        scale=1,
        centred=False,
        iou_threshold=0.65,
    )
    home = options.scratch / "served"
    gates = GatesSection(map50=0.4, latency_p95_ms=1000)
    with open_registry(home) as registry:
        result = import_detector(NAME, spec, core, folder, registry, gates=gates, progress=progress("served"))
        entry = registry.promote(NAME, result.version, "benchmark", reason="gates passed")
    session = open_session(ReleaseStore(home / "releases").path(entry.manifest.sha256))
    settings = adapt(load_settings(start=options.scratch), home=home, port=0, open_access=True, clock="ticks")
    with Platform(settings, parts=(SERVING,)) as platform:
        yield platform, session


class Client:
    """A client as cheap as can be: one connection, requests put together beforehand, answers read by their length.

    Args:
        platform: that answers.
    """

    def __init__(self, platform: Platform) -> None:
        address = urlsplit(platform.url)
        self._head = f"POST /detect?model={NAME}&threshold=0.001 HTTP/1.1\r\nHost: {address.netloc}\r\n"
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, data: bytes) -> bytes:
        """Send one picture and return the body of the answer."""
        head = f"{self._head}Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        self._socket.sendall(head.encode() + data)
        status = self._file.readline()
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self._file.read(length)
        if b" 200 " not in status:
            message = f"The server answered {status!r}: {body[:300]!r}"
            raise SystemExit(message)
        return body

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()


def _served_map(client: Client, pictures: Sequence[LabelledPicture]) -> float:
    """Return the mAP50-95 of what comes over HTTP."""
    labels = read_labels(pictures)
    labelled, found = [], []
    for picture in pictures:
        document = json.loads(client.ask(picture.path.read_bytes()))
        width, height = document["width"], document["height"]
        labelled.append(Boxes(picture.boxes * [width, height, width, height], picture.classes))
        seen = document["detections"]
        boxes = np.array([each["box_xyxy_px"] for each in seen], np.float32).reshape(-1, 4)
        classes = np.array([labels.index(each["label"]) for each in seen], np.int64)
        found.append(Boxes(boxes, classes, np.array([each["score"] for each in seen], np.float32)))
    accuracy = measure_accuracy(labelled, found, classes=len(labels))
    say(f"served: mAP50-95 {accuracy.map50_95:.4f} over {len(pictures)} pictures through /detect")
    return accuracy.map50_95


def read_labels(pictures: Sequence[LabelledPicture]) -> tuple[str, ...]:
    """Return the class names of the set that pictures belong to."""
    return read_pictures(pictures[0].path.parents[2]).labels


def _race(platform: Platform, session: Session, pictures: Sequence[bytes]) -> float:
    """Return pictures a second over HTTP, as a share of the raw loop's."""
    threads = available_threads()
    clients = [Client(platform) for _ in range(CONNECTIONS_A_THREAD * threads)]
    chosen = [pictures[index % len(pictures)] for index in range(PICTURES_A_ROUND)]

    def raw(data: bytes) -> None:
        session.run({"image": decode_picture(data)})

    raw_s, served_s, single_raw_s, single_served_s = [], [], [], []
    for _ in range(ROUNDS):
        raw_s.append(_timed([raw] * threads, chosen))
        served_s.append(_timed([client.ask for client in clients], chosen))
        single_raw_s.append(_timed([raw], chosen[: PICTURES_A_ROUND // 4]))
        single_served_s.append(_timed([clients[0].ask], chosen[: PICTURES_A_ROUND // 4]))
    for client in clients:
        client.close()
    ratio = statistics.median(a / b for a, b in zip(raw_s, served_s, strict=True))
    single = statistics.median(a / b for a, b in zip(single_raw_s, single_served_s, strict=True))
    served_rate, raw_rate = (PICTURES_A_ROUND / statistics.median(taken) for taken in (served_s, raw_s))
    say(f"served: {served_rate:.1f} pictures/s on {len(clients)} connections, {raw_rate:.1f} raw on {threads} threads")
    say(f"served: ratio {ratio:.3f}; one after the other {single:.3f}")
    return ratio


def _timed(lanes: Sequence[Callable[[bytes], object]], pictures: Sequence[bytes]) -> float:
    """Let lanes share pictures side by side and return the seconds until the last has ended."""

    def work(lane: int) -> None:
        for data in pictures[lane :: len(lanes)]:
            lanes[lane](data)

    with ThreadPoolExecutor(len(lanes)) as pool:
        started = time.perf_counter()
        for done in [pool.submit(work, lane) for lane in range(len(lanes))]:
            done.result()
        return time.perf_counter() - started
