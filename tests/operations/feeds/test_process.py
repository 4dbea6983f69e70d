"""The whole way: a film through a real serving process to readings in its store, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from contracts import Domain, Sign, Text, to_ms
from operations.feeds.process import VARIABLE
from serving import Role
from tests.serving.city import City
from tests.serving.running import KEYS, free_port, run_server, settings_of
from tests.serving.test_detection import detector, release

from .films import pictures, write_film
from .test_cameras import PACK

ROOT = Path(__file__).parents[3]
START = datetime(2026, 5, 1, 8, tzinfo=UTC)
PLACES = "id,name_zh,name_en,level,parent\ncity,城,City,city,\n"
SIGNS = """id,title_zh,title_en,place,unit,interval_s,source,domain,dimension,harmful
street.water,水,water,city,1,2,street.cam,safety,water,high
"""
CAMERAS = """
[[camera]]
id = "street.cam"
url = "film.mp4"
model = "street.watch"
fps = 5
pace = "fast"
starts = 2026-05-01T08:00:00Z

[[camera.sign]]
sign = "street.water"
measure = "count"
labels = ["water"]
"""
SIGN = Sign(
    id="street.water",
    title=Text(zh="水", en="water"),
    place="city",
    unit="1",
    interval_s=2,
    source="street.cam",
    domain=Domain.SAFETY,
)


def test_a_film_becomes_readings(tmp_path: Path) -> None:
    city, pack = City(tmp_path), tmp_path / "pack"
    release(city, "street.watch", detector())
    city.store.signs.put([SIGN])
    pack.mkdir()
    for name, text in {"pack.toml": PACK, "places.csv": PLACES, "signs.csv": SIGNS, "cameras.toml": CAMERAS}.items():
        (pack / name).write_text(text, encoding="utf-8")
    write_film(pack / "film.mp4", pictures(65), fps=10)
    with run_server(settings_of(city.store_url, city.releases_url, free_port()), tmp_path / "serving.log") as server:
        key = KEYS[Role.OPERATOR]
        values = {"serving_url": server.url, "serving_key": key, "packs": [str(pack)], "home": str(tmp_path / "home")}
        environment = os.environ | {VARIABLE: json.dumps(values), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-P", "-W", "ignore", "-m", "operations.feeds"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        try:
            found = wait_for_readings(city, 3)
        finally:
            process.terminate()
            _, words = process.communicate(timeout=60)
    assert found.times_ms.tolist() == [to_ms(START) + second * 1000 for second in (2, 4, 6)], words.decode()
    assert found.values.tolist()[1:] == [1.0, 1.0]
    status = json.loads((tmp_path / "home" / "feeds.json").read_text())
    assert status["cameras"][0]["reader"]["due"] == 33
    assert status["posted"] == 3
    city.close()


def wait_for_readings(city: City, count: int):
    deadline = time.monotonic() + 90
    while True:
        found = city.store.readings.series(SIGN.id, to_ms(START), to_ms(START) + 60_000)
        if len(found.times_ms) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_wrong_settings_are_told() -> None:
    command = [sys.executable, "-P", "-W", "ignore", "-m", "operations.feeds"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), VARIABLE: json.dumps({"serving_key": "secret-key"})}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "home: Field required" in result.stderr
    assert "secret-key" not in result.stderr
