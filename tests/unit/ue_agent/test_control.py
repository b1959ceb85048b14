"""``done`` events and the reading of lines (the whole protocol: tests/integration/ue_agent/test_ue_run.py)."""

import os
import threading

from ue_agent.agent import Registered
from ue_agent.commands import LINE_OCTETS_MAX
from ue_agent.control import done, registered_to_json, start_reading
from ue_agent.errors import RegistrationError
from ue_agent.stack_process import Registration


def test_done_of_success_and_of_failure() -> None:
    assert done(1, {"status": 200}) == {"event": "done", "id": 1, "ok": True, "status": 200}
    refused = done("x", RegistrationError(403, "Forbidden"))
    assert refused == {"event": "done", "id": "x", "ok": False, "status": 403, "reason": "Forbidden"}


def test_end_of_a_register() -> None:
    registered = Registered(Registration(200, "OK", 540, ("sip:u@d",)), 0.0123456789)
    assert registered_to_json(registered) == {
        "status": 200,
        "reason": "OK",
        "expires": 540,
        "seconds": 0.012346,
        "public_user_identities": ["sip:u@d"],
    }


def lines_of(octets: bytes) -> list[bytes | None]:
    """Return what the reader offers for these octets."""
    reading, writing = os.pipe()
    offered: list[bytes | None] = []
    ended = threading.Event()

    def offer(line: bytes | None) -> bool:
        offered.append(line)
        if line is None:
            ended.set()
        return True

    start_reading(reading, offer)
    with os.fdopen(writing, "wb") as file:
        file.write(octets)
    assert ended.wait(10)
    os.close(reading)
    return offered


def test_lines_come_whole_and_the_last_needs_no_end() -> None:
    assert lines_of(b"a\n\n  \nbc\nd") == [b"a", b"bc", b"d", None]


def test_an_endless_line_is_cut_over_the_limit() -> None:
    first, second, end = lines_of(b"x" * (3 * LINE_OCTETS_MAX + 7) + b"\nnext\n")
    assert second == b"next" and end is None
    assert first is not None and LINE_OCTETS_MAX < len(first) <= 3 * LINE_OCTETS_MAX
