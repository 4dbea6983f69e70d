"""Signs that add up, from the command line: trained with their totals, scored so that they sum, judged by level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.drawn_panels import sign_names, write_drawn_panel
from tests.cityforge.conftest import Command

from .test_backtest import RECIPE


@pytest.mark.slow
def test_signs_and_totals_from_recipe_to_file(project: Path, cityforge: Command) -> None:
    write_drawn_panel(project / "panel.parquet", 6, 31 * 24, seed=2)
    places = ["id,name_zh,name_en,level,parent", "c,城,city,city,", "c.a,区,a,district,c", "c.b,区,b,district,c"]
    (project / "places.csv").write_text("\n".join(places), encoding="utf-8")
    rows = [f"{name},量,sign,c.{'ab'[number % 2]},1,3600,drawn,livelihood" for number, name in enumerate(sign_names(6))]
    header = "id,title_zh,title_en,place,unit,interval_s,source,domain"
    (project / "signs.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    sums = RECIPE + '[hierarchy]\nplaces = "places.csv"\nsigns = "signs.csv"\n'
    (project / "sums.toml").write_text(sums, encoding="utf-8")

    trained = cityforge("train", "sums.toml", "--promote", "--json")
    assert trained.code == 0, trained.err
    scored = cityforge("forecast", "--data", "panel.parquet", "--model", "drawn.flow", "--to", "out.parquet", "--json")
    assert scored.code == 0, scored.err
    assert scored.data["forecast"] == {"drawn.flow": 9}
    medians = pq.read_table(project / "out.parquet").to_pandas().pivot_table("q0.5", "time", "sign", observed=True)
    np.testing.assert_allclose(medians["drawn.flow.c.b"], medians[sign_names(6)[1::2]].sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(
        medians["drawn.flow.c"], medians[["drawn.flow.c.a", "drawn.flow.c.b"]].sum(axis=1), rtol=1e-4
    )
    judged = cityforge("backtest", "drawn.flow", "--json")
    assert judged.code == 0, judged.err
    assert set(judged.data["hierarchy"]) == {"city", "district", "sign"}
    assert len(judged.data["by_series"]) == 9
