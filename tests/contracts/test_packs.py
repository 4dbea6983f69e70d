import shutil
from pathlib import Path

import pytest

from contracts import ConfigurationError, load_pack, read_signs

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PACKS = sorted(path.parent for path in SCENARIOS.glob("*/*/pack.toml"))


@pytest.mark.parametrize("folder", PACKS, ids=lambda folder: folder.name)
def test_every_shipped_pack_is_sound(folder: Path):
    pack = load_pack(folder)
    assert pack.header.id == ".".join(folder.parts[-2:])
    assert len(pack.signs) > 0
    assert pack.procedures.exists()


def test_every_problem_of_a_pack_is_reported_at_once(tmp_path: Path):
    folder = tmp_path / "pack"
    shutil.copytree(SCENARIOS / "construction" / "water_main", folder)
    (folder / "pack.toml").write_text('id = "x y"\n')
    (folder / "places.csv").write_text("id,name_zh,name_en,level,parent\ndemo,城,City,city,\nb,乙,B,village,demo\n")
    (folder / "signs.csv").write_text(
        "id,title_zh,title_en,place,unit,interval_s,source,domain\n"
        "flow,流量,Flow,nowhere,l/s,3600,scada,construction\n"
        "level,水位,Level,demo,cm,-5,scada,construction\n"
        "many,cells,in,demo,this,60,scada,construction,row\n"
    )
    with pytest.raises(ConfigurationError, match=r"has \d+ problems") as caught:
        load_pack(folder)
    text = str(caught.value)
    for part in ("pack.toml: id", "title: Field required", "places.csv:3: level", "signs.csv:3: interval_s"):
        assert part in text
    assert "signs.csv:4: has more cells than the header" in text
    assert "its place 'nowhere' is unknown" in text


def test_a_sign_file_reports_lines_and_duplicates(tmp_path: Path):
    path = tmp_path / "signs.csv"
    header = "id,title_zh,title_en,place,unit,interval_s,source,domain\n"
    line = "flow,流量,Flow,c,l/s,3600,scada,construction\n"
    path.write_text(header + line + line)
    with pytest.raises(ConfigurationError, match="the id stands twice"):
        read_signs(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_signs(path)


def test_thousands_of_signs_come_from_one_file(tmp_path: Path):
    path = tmp_path / "signs.csv"
    rows = "".join(f"flow.{i},流量{i},Flow {i},c,l/s,3600,scada,construction\n" for i in range(2600))
    path.write_text("id,title_zh,title_en,place,unit,interval_s,source,domain\n" + rows)
    assert len(read_signs(path)) == 2600
