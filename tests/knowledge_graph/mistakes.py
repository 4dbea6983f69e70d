"""A corpus of mistakes: what a veteran, an editor or an attacker may do to a rule file."""

from __future__ import annotations

from dataclasses import dataclass

from .examples import CLOSING, RANKED_CAUSES, TABLE_OF_CAUSES, UNDERPASS


@dataclass(frozen=True)
class Mistake:
    """One edit of a sound example, the line that must be named and words that the message must hold."""

    old: str
    new: str
    line: int
    says: str
    text: str = UNDERPASS


MISTAKES = {
    # The file itself.
    "tab indentation": Mistake("  rain: {source", "\train: {source", 7, "not valid YAML"),
    "unclosed brace": Mistake("use: prior}", "use: prior", 7, "not valid YAML"),
    "unclosed quote": Mistake('">=": 25', '">=: 25', 8, "not valid YAML"),
    "key twice": Mistake("status: trial", "status: trial\nstatus: draft", 6, "'status' twice"),
    "sign twice": Mistake("  cam:  {source: vision.water", "  deep: {source: vision.water", 9, "'deep' twice"),
    "alias": Mistake("leak: {yes: 1, of: 500}", "leak: *other", 15, "alias"),
    "anchor": Mistake("leak: {yes", "leak: &a {yes", 15, "anchor"),
    "tag": Mistake("do: SOP-FL-03", "do: !!python/name:os.system SOP", 21, "tag"),
    "second document": Mistake("do: SOP-FL-03", "do: SOP-FL-03\n---\nid: x", 22, "second document"),
    "list as a key": Mistake("do: SOP-FL-03", "? [a, b]\n: SOP-FL-03", 21, "list or mapping as a key"),
    "too deep": Mistake("at: 50mm/h", f"at: {'[' * 20}50{']' * 20}", 7, "nests deeper"),
    "control character": Mistake("veteran-01", "veteran\x07", 1, "not valid YAML"),
    "whole file is a list": Mistake("id: flood.underpass", "- a", 2, "not valid YAML"),
    # Words.
    "no id": Mistake("id: flood.underpass\n", "", 1, "id"),
    "no owner": Mistake("owner: 区建设管理委\n", "", 1, "owner"),
    "no risk": Mistake("risk: waterlogged\n", "", 1, "risk"),
    "no leak": Mistake("leak: {yes: 1, of: 500}\n", "", 1, "leak"),
    "no horizon": Mistake("horizon: 60min\n", "", 1, "horizon"),
    "no procedure": Mistake("do: SOP-FL-03\n", "", 1, "do"),
    "id with blanks": Mistake("id: flood.underpass", "id: flood underpass", 1, "id"),
    "id is a number": Mistake("id: flood.underpass", "id: 7", 1, "id"),
    "unknown status": Mistake("status: trial", "status: live", 5, "status"),
    "misspelt key": Mistake("causes:", "cuases:", 11, "cuases"),
    "misspelt key in an entry": Mistake("source: level_cm", "sorce: level_cm", 8, "sorce"),
    "misspelt key in a level": Mistake("{cost: 1, loss: 5}", "{cost: 1, los: 5}", 18, "los"),
    "unknown level": Mistake("  yellow:", "  purple:", 18, "purple"),
    "no levels": Mistake(
        "levels:\n  yellow: {cost: 1, loss: 5}\n  orange: {cost: 4, loss: 8}\n  red: {cost: 8, loss: 10}",
        "levels: {}",
        17,
        "levels",
    ),
    "cost is a word": Mistake("{cost: 1, loss: 5}", "{cost: low, loss: 5}", 18, "cost"),
    "cost is zero": Mistake("{cost: 1, loss: 5}", "{cost: 0, loss: 5}", 18, "cost"),
    "cause is a number": Mistake("{yes: 6, of: 10}", "0.6", 12, "rain"),
    "more than all": Mistake("{yes: 6, of: 10}", "{yes: 60, of: 10}", 12, "more than all"),
    "of nothing": Mistake("{yes: 6, of: 10}", "{yes: 0, of: 0}", 12, "of"),
    "negative count": Mistake("{yes: 1, of: 500}", "{yes: -1, of: 500}", 15, "yes"),
    "stops more than all": Mistake("stops: 5", "stops: 50", 14, "more than all"),
    "unknown use": Mistake("use: prior", "use: guess", 7, "use"),
    "test without expectation": Mistake(", expect: law.close_road}", "}", 23, "expect"),
    "signs is a list": Mistake("signs:\n", "signs: []\nother:\n", 6, "signs"),
    "date that is none": Mistake("status: trial", "status: trial\nfrom: next summer", 6, "date"),
    # Meaning.
    "unknown sign": Mistake("source: level_cm", "source: level_mm", 8, "level_mm"),
    "unknown procedure": Mistake("do: SOP-FL-03", "do: SOP-FL-99", 21, "SOP-FL-99"),
    "unknown place": Mistake("status: trial", "status: trial\nat: [east.z]", 6, "east.z"),
    "wrong unit": Mistake("at: 50mm/h", "at: 50 cm", 7, "does not convert"),
    "unit of another kind": Mistake('">=": 25', '">=": 25 kPa', 8, "does not convert"),
    "no number": Mistake('">=": 25', '">=": deep', 8, "no quantity"),
    "truth as a threshold": Mistake('">=": 25', '">=": true', 8, "deep"),
    "infinite threshold": Mistake('">=": 25', '">=": 1e999', 8, "finite"),
    "no duration": Mistake("for: 3min", "for: three minutes", 8, "no duration"),
    "duration without a unit": Mistake("for: 3min", 'for: "3"', 8, "no duration"),
    "duration of years": Mistake("for: 3min", "for: 4000 d", 8, "outside"),
    "horizon that is none": Mistake("horizon: 60min", "horizon: soon", 16, "no duration"),
    "compares with nothing": Mistake(
        '{source: level_cm, ">=": 25, ', "{source: level_cm, ", 8, "compares with nothing"
    ),
    "two operators": Mistake('">=": 25', '">=": 25, rise_per: 1h, drop_per: 1h', 8, "mixes"),
    "clear on the wrong side": Mistake('">=": 25', '">=": 25, clear: 30', 8, "alarming side"),
    "count without within": Mistake("for: 3min", "count: 3", 8, "count and within"),
    "count with for": Mistake("for: 3min", "for: 3min, count: 3, within: 1h", 8, "both count and for"),
    "stuck with a comparison": Mistake("for: 3min", "stuck: 3min", 8, "takes no comparison"),
    "stuck for no time": Mistake(
        '{source: level_cm, ">=": 25, for: 3min', "{source: level_cm, stuck: 0s", 8, "above zero"
    ),
    "no source": Mistake("{source: level_cm, ", "{", 8, "no source"),
    "sequence of nobody": Mistake(
        'deep: {source: level_cm, ">=": 25, for: 3min', "deep: {sequence: [cam, nobody], within: 1h", 8, "nobody"
    ),
    "sequence without a time": Mistake(
        'deep: {source: level_cm, ">=": 25, for: 3min',
        'near: {source: level_cm, ">": 9}\n  deep: {sequence: [near, near]',
        9,
        "no 'within'",
    ),
    "prior without a level": Mistake("at: 50mm/h, ", "", 7, "no level"),
    "prior that is no cause": Mistake("  rain:        {yes: 6", "  storm:       {yes: 6", 7, "no cause"),
    "reaches no node": Mistake(", law: close_road", "", 8, "reaches no node"),
    "only seen": Mistake("law: close_road", "seen: {yes: 1, of: 2}", 8, "only one of seen and otherwise"),
    "certainty": Mistake("law: close_road", "seen: {yes: 2, of: 2}, otherwise: {yes: 1, of: 9}", 8, "claims certainty"),
    "a model's own ratio twice": Mistake(
        "lr: calibrated", "lr: calibrated, seen: {yes: 1, of: 2}, otherwise: {yes: 1, of: 9}", 9, "its own ratio"
    ),
    "ratio of nobody": Mistake("lr: calibrated", "lr: calibrated, of: nobody", 9, "no node 'nobody'"),
    "law on a model": Mistake("lr: calibrated", "lr: calibrated, law: tow", 9, "hangs on a model"),
    "law on a model alone": Mistake("use: prior", "use: prior, law: tow", 7, "hangs on a model"),
    "when that is none": Mistake('"tide_m >= 4.55"', "high tide", 13, "no condition"),
    "when on an unknown sign": Mistake('"tide_m >= 4.55"', '"tide >= 4.55"', 13, "'tide' is unknown"),
    "cause below the leak": Mistake("leak: {yes: 1, of: 500}", "leak: {yes: 1, of: 2}", 13, "less than the leak"),
    "always": Mistake("leak: {yes: 1, of: 500}", "leak: {yes: 1, of: 1}", 15, "always"),
    "cause and inhibitor": Mistake("inhibits: {pump_ready", "inhibits: {rain", 12, "a cause and an inhibitor"),
    "causes itself": Mistake("risk: waterlogged", "risk: gate_closed", 13, "causes itself"),
    "risk named as a sign": Mistake("risk: waterlogged", "risk: deep", 10, "used twice"),
    "levels that fall": Mistake("{cost: 8, loss: 10}", "{cost: 1, loss: 10}", 20, "no later than"),
    "level beyond certainty": Mistake("{cost: 8, loss: 10}", "{cost: 12, loss: 10}", 20, "probability above"),
    "all of one": Mistake(
        '  gate_closed: {yes: 4, of: 10, when: "tide_m >= 4.55"}\n', "combine: all\n", 13, "needs two causes"
    ),
    "two groups for one source": Mistake(
        "  cam:",
        '  wet: {source: level_cm, ">": 1, law: close_road, group: other}\n  cam:',
        9,
        "One source is one group",
    ),
    "test of nobody": Mistake("given: {deep: 26,", "given: {depth: 26,", 23, "no sign, cause or inhibitor"),
    "test of a level that is not there": Mistake("expect: law.close_road", "expect: blue", 23, "cannot come"),
    "test of a law that is not there": Mistake("expect: law.close_road", "expect: law.tow", 23, "cannot come"),
    "dates the wrong way": Mistake(
        "status: trial", "status: trial\nfrom: 2026-05-01\nuntil: 2026-04-01", 7, "lies before"
    ),
    "season that is none": Mistake("for: 3min", "season: '06-31..13-01'", 8, "no such day"),
    "hours that are empty": Mistake("for: 3min", "hours: '06:00-06:00'", 8, "is empty"),
    "hours that are none": Mistake("for: 3min", "hours: '6 to 8'", 8, "hours"),
    "active without a citation": Mistake("status: trial", "status: active", 8, "no citation"),
    "active without a boundary test": Mistake("status: trial", "status: active", 22, "no boundary test"),
    # Decision tables.
    "column of nobody": Mistake('{depth: ">= 0.25 m"', '{deep: ">= 0.25 m"', 22, "no entry under signs", CLOSING),
    "column that compares by itself": Mistake(
        "depth: {source: level_cm}", 'depth: {source: level_cm, ">": 3}', 22, "more than what to read", CLOSING
    ),
    "column that counts": Mistake(
        "rise_per: 10min}", "rise_per: 10min, seen: {yes: 1, of: 2}}", 23, "more than what to read", CLOSING
    ),
    "column that is a cause": Mistake(
        "leak:", "causes: {depth: {yes: 1, of: 2}}\nleak:", 23, "is a cause or an inhibitor", CLOSING
    ),
    "cell that is none": Mistake('">= 0.25 m"', '"deep"', 22, "no cell", CLOSING),
    "cell in another unit": Mistake('">= 0.25 m"', '">= 25 kPa"', 22, "does not convert", CLOSING),
    "cell that is empty": Mistake('"[15..25)"', '"[25..15)"', 23, "is empty", CLOSING),
    "cell in braces without quotes": Mistake('"[15..25)"', "[15..25)", 23, "not valid YAML", CLOSING),
    "law of nobody": Mistake("law: close_early}", "law: tow}", 23, "'tow' is unknown", CLOSING),
    "row without a law": Mistake(", law: close_early}", "}", 23, "names no law", CLOSING),
    "row that always fires": Mistake("{law: none}", "{law: close_road}", 24, "whatever is measured", CLOSING),
    "gap": Mistake("      - {law: none}\n", "", 19, "no row holds at", CLOSING),
    "row that never counts": Mistake(
        "- {law: none}", '- {depth: ">= 30", law: close_early}', 24, "which covers it", CLOSING
    ),
    "overlap": Mistake("hit: first", "hit: unique", 24, "conflicts with row 1", CLOSING),
    "unknown hit policy": Mistake("hit: first", "hit: last", 20, "hit", CLOSING),
    "no rows": Mistake('{depth: ">= 0.25 m", law: close_road}', "{}", 22, "names no law", CLOSING),
    "entry named as a row": Mistake("  works:", "  closing_1:", 9, "also a row of a table", CLOSING),
    # Conditions that need others.
    "all of nobody": Mistake("all: [tide]", "all: [flood]", 10, "no condition of this rule", CLOSING),
    "unless alone": Mistake("{all: [tide], unless", '{source: tide_m, ">": 3, unless', 10, "stands alone", CLOSING),
    "itself": Mistake("all: [tide]", "all: [surge]", 10, "no condition of this rule", CLOSING),
    "all of a table's column": Mistake("all: [tide]", "all: [depth]", 10, "no condition of this rule", CLOSING),
    "unless what comes later": Mistake(
        "  tide: {", "  early: {all: [works], unless: [surge], law: close_road}\n  tide: {", 8, "stands below", CLOSING
    ),
    # Causes that combine otherwise.
    "no frequency": Mistake("{yes: 6, of: 10}", "{basis: E}", 12, "no frequency"),
    "half a frequency": Mistake("{yes: 6, of: 10}", "{yes: 6}", 12, "both 'yes' and 'of'"),
    "frequency in a table": Mistake("rain: {prior", "rain: {yes: 1, of: 2, prior", 8, "does not read", TABLE_OF_CAUSES),
    "combination without a row": Mistake(
        "  - {when: [rain, tide], yes: 9, of: 10}\n", "", 10, "rain + tide", TABLE_OF_CAUSES
    ),
    "combination twice": Mistake("when: [rain, tide]", "when: [tide]", 13, "same case as row 2", TABLE_OF_CAUSES),
    "row of nobody": Mistake("when: [rain, tide]", "when: [rain, wind]", 13, "'wind' is no cause", TABLE_OF_CAUSES),
    "row that names one twice": Mistake("when: [tide]", "when: [tide, tide]", 12, "a cause twice", TABLE_OF_CAUSES),
    "row of more than all": Mistake("yes: 9, of: 10", "yes: 19, of: 10", 13, "more than all", TABLE_OF_CAUSES),
    "rows that nobody reads": Mistake("combine: table", "combine: any", 10, "nothing reads 'table'", TABLE_OF_CAUSES),
    "ranks without weights": Mistake("weight: 3, ", "", 9, "no weight", RANKED_CAUSES),
    "ranks without a spread": Mistake("ranked: {spread: 0.3}\n", "", 6, "no spread", RANKED_CAUSES),
    "spread of nothing": Mistake("spread: 0.3", "spread: 0", 7, "spread", RANKED_CAUSES),
    "weights that nobody reads": Mistake("combine: ranked", "combine: any", 9, "nothing is ranked", RANKED_CAUSES),
    "ranks of nothing": Mistake("combine: ranked", "combine: some", 6, "combine", RANKED_CAUSES),
    "more causes than a table holds": Mistake(
        "  event:",
        "".join(f"  c{number}: {{weight: 1, prior: {{yes: 1, of: 2}}}}\n" for number in range(9)) + "  event:",
        6,
        "a table of 2^11 rows",
        RANKED_CAUSES,
    ),
    # What signs can deliver.
    "beyond what is measured": Mistake('">=": 25', '">=": 600', 8, "can never hold within 0..500"),
    "below what is measured": Mistake('">=": 25', '">=": -3', 8, "must always hold within 0..500"),
    "rises beyond what is measured": Mistake('">=": 25, ', '">=": 501, rise_per: 1h, ', 8, "can never hold"),
    "looks back less than a reading": Mistake('">=": 25, ', '">=": 25, rise_per: 30s, ', 8, "looks back 30s"),
    "misses a reading too early": Mistake('">=": 25, for: 3min', "absent: 30s", 8, "misses a reading after 30s"),
    "counts more than come": Mistake("for: 3min", "count: 9, within: 5min", 8, "needs 9 readings within 5min"),
    "when beyond what is measured": Mistake('"tide_m >= 4.55"', '"level_cm > 500"', 13, "can never hold"),
    "cell beyond what is measured": Mistake('">= 0.25 m"', '">= 6 m"', 22, "can never hold", CLOSING),
    "law that nothing fires": Mistake(
        "levels:", "laws: {tow: {cite: an order}}\nlevels:", 17, "nothing fires the law 'tow'"
    ),
    "leak above the base rate": Mistake(
        "leak: {yes: 1, of: 500}", "leak: {yes: 1, of: 500}\nbase_rate: {yes: 1, of: 900}", 16, "alone exceeds"
    ),
}
