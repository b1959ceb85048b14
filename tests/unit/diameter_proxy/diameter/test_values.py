"""Enumerated values against Wireshark's own dictionary."""

import json
from enum import IntEnum
from pathlib import Path

import pytest

from diameter_proxy.diameter import values as v

VECTORS = Path(__file__).parents[3] / "vectors" / "diameter" / "wireshark_dictionary.json"
VALUES = {row["code"]: row["values"] for row in json.loads(VECTORS.read_text())["avps"]}


@pytest.mark.parametrize(
    ("code", "values"),
    [
        (273, v.DisconnectCause),
        (277, v.AuthSessionState),
        (614, v.ServerAssignmentType),
        (616, v.ReasonCode),
        (623, v.UserAuthorizationType),
        (624, v.UserDataAlreadyAvailable),
        (633, v.OriginatingRequest),
        (638, v.LooseRouteIndication),
        (648, v.MultipleRegistrationIndication),
        (650, v.SessionPriority),
        (652, v.PriviledgedSenderIndication),
    ],
)
def test_enumerated_values_are_those_of_wireshark(code: int, values: type[IntEnum]) -> None:
    wireshark = {int(number): name for number, name in VALUES[code].items()}
    ours = {int(value): value.name.replace("S_CSCF", "S-CSCF").replace("PRIORITY_", "PRIORITY-") for value in values}
    assert ours == wireshark
