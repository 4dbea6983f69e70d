"""The inference log: what a real server keeps of what it is asked, and another version's answers to it."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from contracts import ArtefactError, Axis, AxisName, Signature, TensorSpec
from serving.engine import open_release
from serving.inference_log import InferenceLog, read_log, shows_pictures
from serving.log_replay import replay_log
from serving.metrics import Metrics
from serving.settings import InferenceLogSettings

from .city import CONTEXT, City
from .running import free_port, run_server, settings_of

ROWS = np.arange(3 * CONTEXT, dtype=np.float32).reshape(3, CONTEXT)


def ask(client: httpx.Client, row: np.ndarray) -> None:
    answer = client.post(
        "/v2/models/mean/infer", content=row.tobytes(), headers={"Inference-Header-Content-Length": "0"}
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture
def city(tmp_path: Path):
    made = City(tmp_path)
    made.promote(made.release_mean(1))
    yield made
    made.close()


def settings(folder: Path, **others: object) -> InferenceLogSettings:
    return InferenceLogSettings.model_validate({"folder": folder, "share": 1.0} | others)


def test_what_a_server_was_asked_is_put_to_another_version(city: City, tmp_path: Path):
    folder = tmp_path / "log"
    logged = {"folder": str(folder), "share": 1.0}
    serving = settings_of(city.store_url, city.releases_url, free_port(), inference_log=logged)
    with run_server(serving, tmp_path / "serving.log") as server, server.client() as client:
        for row in ROWS:
            ask(client, row)
        client.post("/v2/models/mean/infer", content=b"{}")
        nested = {"model": "mean", "inputs": {"context": ROWS.tolist()}}
        assert client.post("/bentoml/infer", json=nested).is_success
    entries = list(read_log(folder, "mean"))  # written when the server stopped, at the latest
    assert [entry.version for entry in entries] == [1] * 4
    np.testing.assert_array_equal(np.concatenate([entry.inputs["context"] for entry in entries[:3]]), ROWS)
    np.testing.assert_array_equal(entries[3].inputs["context"], ROWS)
    assert list(read_log(folder, "mean", until_ms=entries[0].time_ms)) == []
    assert len(list(read_log(folder, "mean", since_ms=entries[0].time_ms))) == 4

    same = replay_log(entries, open_release(city.releases, city.release_mean(1)))
    assert (same.asked, same.identical, same.failed, same.difference) == (4, 4, 0, 0.0)
    told: list[int] = []
    other = replay_log(entries, open_release(city.releases, city.release_mean(2, shift=10.0)), told.append)
    assert (other.version, other.answered_by, other.identical) == (2, {1: 4}, 0)
    first_mean = 3.5  # of quantiles 2.5, 3.5 and 4.5, all ten too high
    assert other.worst == pytest.approx(10 / first_mean)
    assert other.worst_at_ms == entries[0].time_ms
    assert told == [1, 2, 3, 4]


def test_what_another_version_refuses_is_counted_with_its_reason(city: City, tmp_path: Path):
    model = open_release(city.releases, city.release_mean(1))
    kept = InferenceLog(settings(tmp_path / "log"), Metrics())
    outputs = {"quantiles": np.zeros((1, 3, 3), np.float32)}
    kept.offer(model, {"context": ROWS[:1, :3]}, outputs, 0.001)
    kept.offer(model, {"context": ROWS[:1]}, {"level": np.zeros(1, np.float32)}, 0.001)
    kept.close()
    found = replay_log(read_log(tmp_path / "log", "mean"), model)
    assert (found.asked, found.failed, found.difference) == (2, 2, None)
    assert "must have shape" in found.reasons[0]
    assert found.reasons[1] == "It gives no output 'level'."


def test_the_oldest_make_room_and_a_share_is_a_share(city: City, tmp_path: Path):
    model = open_release(city.releases, city.release_mean(1))
    large = {"context": np.zeros((20_000, CONTEXT), np.float32)}  # 640 KB
    outputs = {"quantiles": np.zeros((1, 3, 3), np.float32)}
    for _ in range(3):
        kept = InferenceLog(settings(tmp_path / "log", limit_mib=1), Metrics())
        kept.offer(model, large, outputs, 0.001)
        kept.close()
    assert len(list((tmp_path / "log" / "mean").iterdir())) == 1
    some = InferenceLog(settings(tmp_path / "share", share=0.25), Metrics())
    for _ in range(2000):
        some.offer(model, {"context": ROWS[:1]}, outputs, 0.001)
    some.close()
    assert 350 < len(list(read_log(tmp_path / "share", "mean"))) < 650  # seven standard deviations


def test_a_disk_that_cannot_be_written_costs_samples_and_nothing_else(city: City, tmp_path: Path):
    model = open_release(city.releases, city.release_mean(1))
    (tmp_path / "file").write_text("no folder")
    metrics = Metrics()
    kept = InferenceLog(settings(tmp_path / "file"), metrics)
    kept.offer(model, {"context": ROWS[:1]}, {}, 0.001)
    kept.close()
    assert b'cityforge_logged_inferences_total{outcome="dropped"} 1.0' in metrics.render()


def test_a_damaged_file_is_told(tmp_path: Path):
    (tmp_path / "mean").mkdir()
    (tmp_path / "mean" / "1-2-3.npz").write_bytes(b"damaged")
    with pytest.raises(ArtefactError, match=r"1-2-3\.npz' of the inference log is damaged"):
        list(read_log(tmp_path, "mean"))


def test_pictures_are_never_kept():
    sizes = [Axis(name=name) for name in (AxisName.HEIGHT, AxisName.WIDTH)]
    pixels = TensorSpec(name="image", axes=(*sizes, Axis(name=AxisName.CHANNEL, size=3)))
    level, score = (TensorSpec(name=name, axes=(Axis(name=AxisName.BATCH),)) for name in ("level", "score"))
    assert shows_pictures(Signature(inputs=(pixels,), outputs=(score,)))
    assert not shows_pictures(Signature(inputs=(level,), outputs=(score,)))
