"""The AKAv1-MD5 response (RFC 3310 §3.3, §3.4; RFC 2617 §3.2.2)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ue_agent.aka.digest import response

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/aka/digest.json").read_text())["vectors"]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["name"])
def test_a_known_response_comes_out(row: dict[str, Any]) -> None:
    """RFC 2617 §3.5 and octets made with openssl: passwords with NUL (RFC 3310 §3.3) and empty (§3.4)."""
    digest = response(
        row["username"],
        row["realm"],
        bytes.fromhex(row["password_hex"]),
        row["method"],
        row["uri"],
        row["nonce"],
        row.get("qop"),
        row.get("cnonce", ""),
        row.get("nc", ""),
    )
    assert digest == row["response"]
