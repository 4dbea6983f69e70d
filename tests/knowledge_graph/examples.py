"""A small city and the rules that tests load into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts import Domain, Place, PlaceLevel, PlaceTree, Procedure, Sign, SignCatalogue, Text
from knowledge_graph import CheckReport, CompiledRules, RuleSet, check, compile_rules, load_rules

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
# Wednesday, 1 July 2026, 12:00 in Shanghai.
NOON_MS = 1_782_878_400_000


def text(word: str) -> Text:
    return Text(zh=word, en=word)


PLACES = PlaceTree(
    [
        Place(id="city", name=text("city"), level=PlaceLevel.CITY),
        Place(id="east", name=text("east"), level=PlaceLevel.DISTRICT, parent="city"),
        Place(id="east.a", name=text("a"), level=PlaceLevel.STREET, parent="east"),
        Place(id="east.b", name=text("b"), level=PlaceLevel.STREET, parent="east"),
    ]
)


def sign(
    sign_id: str,
    unit: str,
    *,
    place: str = "east.a",
    interval_s: int = 60,
    dimension: str = "",
    maximum: float | None = None,
) -> Sign:
    return Sign(
        id=sign_id,
        title=text(sign_id),
        place=place,
        unit=unit,
        interval_s=interval_s,
        source="gauge",
        domain=Domain.CONSTRUCTION,
        dimension=dimension,
        minimum=None if maximum is None else 0.0,
        maximum=maximum,
    )


SIGNS = SignCatalogue(
    [
        sign("radar.p_exceed", "mm/h"),
        sign("level_cm", "cm", maximum=500),
        sign("vision.water", "1"),
        sign("tide_m", "m"),
        sign("flow.a", "l/s", interval_s=3600, dimension="flow"),
        sign("flow.b", "l/s", place="east.b", interval_s=3600, dimension="flow"),
        sign("depth.a", "cm", interval_s=3600, dimension="depth"),
        sign("depth.b", "cm", place="east.b", interval_s=3600, dimension="depth"),
        sign("wind.a", "m/s", interval_s=3600, dimension="wind"),
        sign("wind.b", "m/s", place="east.b", interval_s=3600, dimension="wind"),
    ]
)

PROCEDURES = {
    "SOP-FL-03": Procedure(id="SOP-FL-03", title=text("close"), steps=(text("close the road"),), lead=text("traffic"))
}

UNDERPASS = """\
id: flood.underpass
title: {zh: 下立交积水, en: Underpass flooded}
owner: 区建设管理委
expert: veteran-01
status: trial
signs:
  rain: {source: radar.p_exceed, at: 50mm/h, use: prior}
  deep: {source: level_cm, ">=": 25, for: 3min, law: close_road}
  cam:  {source: vision.water, lr: calibrated}
risk: waterlogged
causes:
  rain:        {yes: 6, of: 10}
  gate_closed: {yes: 4, of: 10, when: "tide_m >= 4.55"}
inhibits: {pump_ready: {stops: 5, of: 10}}
leak: {yes: 1, of: 500}
horizon: 60min
levels:
  yellow: {cost: 1, loss: 5}
  orange: {cost: 4, loss: 8}
  red: {cost: 8, loss: 10}
do: SOP-FL-03
tests:
  - {given: {deep: 26, minutes: 3}, expect: law.close_road}
  - {given: {deep: 24, minutes: 3}, expect_not: law.close_road}
"""

CLOSING = """\
id: flood.closing
owner: traffic
expert: veteran-01
status: trial
signs:
  depth: {source: level_cm}
  rise: {source: level_cm, rise_per: 10min}
  tide: {source: tide_m, ">=": 4.5}
  works: {source: vision.water, ">": 0.5}
  surge: {all: [tide], unless: [works], seen: {yes: 8, of: 10}, otherwise: {yes: 1, of: 50}}
risk: flooded
leak: {yes: 1, of: 500}
horizon: 60min
levels: {yellow: {cost: 1, loss: 5}}
laws:
  close_road: {level: red, cite: an order}
  close_early: {level: orange, cite: the same order}
tables:
  closing:
    hit: first
    rows:
      - {depth: ">= 0.25 m", law: close_road}
      - {depth: "[15..25)", rise: ">= 5", law: close_early}
      - {law: none}
do: SOP-FL-03
tests:
  - {given: {depth: 25}, expect: law.close_road, kind: boundary}
  - {given: {depth: [10, 15]}, expect: law.close_early, kind: boundary}
  - {given: {depth: [11, 15]}, expect: none}
"""

TABLE_OF_CAUSES = """\
id: flood.table
owner: traffic
expert: veteran-01
status: trial
risk: flooded
combine: table
causes:
  rain: {prior: {yes: 1, of: 100}}
  tide: {prior: {yes: 1, of: 10}}
table:
  - {when: [rain], yes: 3, of: 10}
  - {when: [tide], yes: 1, of: 100}
  - {when: [rain, tide], yes: 9, of: 10}
leak: {yes: 1, of: 500}
horizon: 60min
levels: {yellow: {cost: 1, loss: 5}}
at: [east.a]
do: SOP-FL-03
"""

RANKED_CAUSES = """\
id: crowd.ranked
owner: police
expert: veteran-01
status: trial
risk: crushed
combine: ranked
ranked: {spread: 0.3}
causes:
  density: {weight: 3, prior: {yes: 1, of: 100}}
  event: {weight: 1, prior: {yes: 1, of: 10}}
leak: {yes: 1, of: 500}
horizon: 60min
levels: {yellow: {cost: 1, loss: 5}}
at: [east.a]
do: SOP-FL-03
"""


def rule_text(signs: str, *, body: str = "", rule_id: str = "test.rule") -> str:
    """Return a rule file around the entries under ``signs`` (one per line, without indentation)."""
    entries = "".join(f"  {line}\n" for line in signs.splitlines())
    return (
        f"id: {rule_id}\nowner: dept\nexpert: v1\nstatus: trial\nrisk: risk\n"
        f"leak: {{yes: 1, of: 100}}\nhorizon: 1h\nlevels: {{yellow: {{cost: 1, loss: 2}}}}\ndo: SOP-FL-03\n"
        + (f"signs:\n{entries}" if signs else "")
        + body
    )


def write_rules(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def checked(folder: Path, **files: str) -> CheckReport:
    write_rules(folder, {f"{name}.yaml": content for name, content in files.items()})
    return check(folder, SIGNS, PLACES, PROCEDURES)


def loaded(folder: Path, *contents: str) -> RuleSet:
    write_rules(folder, {f"rule{index}.yaml": content for index, content in enumerate(contents)})
    return load_rules(folder, SIGNS, PLACES, PROCEDURES)


def compiled(folder: Path, *contents: str) -> CompiledRules:
    return compile_rules(loaded(folder, *contents))
