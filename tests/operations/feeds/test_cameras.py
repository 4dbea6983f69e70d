from __future__ import annotations

from pathlib import Path

import pytest

from contracts import ConfigurationError
from operations.feeds.cameras import load_cameras

PACK = """
id = "safety.test"
title = { zh = "试", en = "test" }
domain = "safety"
timezone = "UTC"
country = "IT"
lead = { zh = "队", en = "team" }
source = "drawn"
"""
PLACES = "id,name_zh,name_en,level,parent\ncity,城,City,city,\n"
SIGNS = """id,title_zh,title_en,place,unit,interval_s,source,domain,dimension,harmful
street.people,人,people,city,1,60,street.cam,safety,people,high
street.dense,密,density,city,1,60,other,safety,density,high
"""
GOOD = """
[[camera]]
id = "street.cam"
url = "film.mp4"
model = "street.watch"

[[camera.sign]]
sign = "street.people"
measure = "count"
"""
BAD = """
[[camera]]
id = "street.cam"
model = "street.watch"

[[camera.zone]]
id = "lane"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]

[[camera.sign]]
sign = "street.nobody"
measure = "blocked"

[[camera.sign]]
sign = "street.dense"
measure = "density"
zone = "nowhere"

[[camera.sign]]
sign = "street.people"
measure = "evidence"

[[camera.sign]]
sign = "street.people"
measure = "crossings"
"""


def pack(folder: Path, cameras: str) -> Path:
    for name, text in {"pack.toml": PACK, "places.csv": PLACES, "signs.csv": SIGNS, "cameras.toml": cameras}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_cameras_of_a_pack(tmp_path: Path) -> None:
    loaded, (camera,) = load_cameras(pack(tmp_path, GOOD))
    assert loaded.header.id == "safety.test"
    assert camera.address() == str(tmp_path / "film.mp4")
    assert camera.keep is None


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"street\.nobody: is no sign of the pack") as caught:
        load_cameras(pack(tmp_path, BAD))
    told = str(caught.value)
    for words in (
        "street.cam.url: is missing",
        "street.nobody: needs a zone",
        "street.dense: has the source 'other'",
        "street.dense: has the unit '1'",
        "street.dense: names the zone 'nowhere'",
        "street.dense: needs a zone and the ground plane",
        "street.people: has the unit '1'. evidence is in 'nat'",
        "street.people: needs ratios and presence",
        "street.people: names the line None",
    ):
        assert words in told


def test_a_file_that_is_wrong_in_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_cameras(pack(tmp_path, "camera = ["))
    line = GOOD + "\n[camera.ground]\npoints = [[0, 0], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]\n"
    line += "metres = [[0, 0], [1, 1], [2, 2], [3, 3]]\n"
    with pytest.raises(ConfigurationError, match="fix no plane"):
        load_cameras(pack(tmp_path, line))
    with pytest.raises(ConfigurationError, match="measure"):
        load_cameras(pack(tmp_path, GOOD.replace('"count"', '"beauty"')))


def test_a_url_with_a_password_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace('url = "film.mp4"', 'url_variable = "STREET_CAM"')
    _, (camera,) = load_cameras(pack(tmp_path, text))
    with pytest.raises(ConfigurationError, match="STREET_CAM is not set"):
        camera.address()
    monkeypatch.setenv("STREET_CAM", "rtsp://me:secret@127.0.0.1/live")
    assert camera.address() == "rtsp://me:secret@127.0.0.1/live"
    assert "secret" not in repr(camera)
