"""What is said of a supervisor's events, and what is kept to itself."""

import pytest

from lab.commands.progress import show_event


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "lab.up", "after_s": 3.14159}, ["   3.14 s  lab.up"]),
        ({"event": "lab.retried", "reason": "mms: slow", "after_s": 45}, ["  45.00 s  retried: mms: slow"]),
        ({"event": "step.done", "number": 7, "step": "Call", "outcome": {"status": 200}}, ["            7 Call 200"]),
        ({"event": "step.done", "number": 5, "step": "Move", "outcome": {}}, ["            5 Move"]),
        ({"event": "program.killed", "host": "hss.mc1"}, ["           program.killed hss.mc1"]),
        (
            {"event": "program.crashed", "host": "scscf.mc2", "after_s": 2.0},
            ["   2.00 s  program.crashed scscf.mc2: Kamailio died of a signal in its start, and is started once more"],
        ),
        ({"event": "program.ready", "host": "hss.mc1"}, []),
    ],
)  # fmt: skip
def test_an_event_is_one_line_or_none(event: dict[str, object], said: list[str]) -> None:
    lines: list[str] = []
    show_event(event, lines.append)
    assert lines == said
