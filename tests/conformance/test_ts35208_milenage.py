"""Milenage against the published test sets (TS 35.207, TS 35.208 §4.3)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ue_agent.aka.milenage import Milenage, opc_of

SETS = json.loads((Path(__file__).parents[1] / "vectors/aka/milenage.json").read_text())


@pytest.mark.parametrize("row", SETS["ts35207"] + SETS["ts35208"], ids=lambda row: row["name"])
def test_a_published_set_comes_out(row: dict[str, Any]) -> None:
    """TS 35.208 §4.3, TS 35.207 §4: f1, f1*, f2 to f5, f5*, and OPc from OP."""
    v = {name: bytes.fromhex(text) for name, text in row.items() if name != "name"}
    milenage = Milenage(v["k"], v["opc"])
    assert opc_of(v["k"], v["op"]) == v["opc"]
    assert milenage.f1(v["rand"], v["sqn"], v["amf"]) == v["f1"]
    assert milenage.f1_star(v["rand"], v["sqn"], v["amf"]) == v["f1_star"]
    assert tuple(milenage.f2345(v["rand"])) == (v["f2"], v["f3"], v["f4"], v["f5"])
    assert milenage.f5_star(v["rand"]) == v["f5_star"]
