"""A diagnosis in lines: what failed, why, the mend, and one line of verdict at the end."""

from types import SimpleNamespace

from lab.evidence.doctor.examine import diagnose
from lab.evidence.doctor.presentation import LADDER_LINES_MAX, lines_of


def test_the_last_line_is_the_verdict(case: SimpleNamespace) -> None:
    view = case.see(case.register(1), case.hop(2, 5001), case.response(9, 403))
    lines = list(lines_of(diagnose(view)))
    assert lines[-1] == "ill: 1 of 1 registrations failed; first cause: unknown-user"
    assert lines[0] == "UE 10.77.2.21 1@ims.mc2.lab: refused, 403 (frames 1-9)"
    assert any(line.startswith("   mend    PyHSS: ") for line in lines)
    assert "   filter  frame.number in {2, 3}" in lines


def test_healthy_and_empty_captures_have_one_line(case: SimpleNamespace) -> None:
    healthy = list(lines_of(diagnose(case.see(case.register(1), case.response(2, 200)))))
    assert healthy == ["healthy: 1 registrations, none failed"]
    (empty,) = lines_of(diagnose(case.see()))
    assert "--decode-as" in empty


def test_a_long_ladder_is_cut_in_the_middle_and_what_was_not_seen_is_said(case: SimpleNamespace) -> None:
    copies = [case.register(number) for number in range(2, 60)]
    lines = list(lines_of(diagnose(case.see(case.register(1), *copies, notes=("2 ESP frames",)))))
    assert "  ..." in lines
    assert sum(" -> " in line for line in lines) == LADDER_LINES_MAX
    assert "not seen: 2 ESP frames" in lines


def test_many_failures_are_counted(case: SimpleNamespace) -> None:
    messages = [m for n in range(5) for m in (case.register(2 * n + 1, n), case.response(2 * n + 2, 423, n))]
    assert "... and 2 more that failed" in list(lines_of(diagnose(case.see(*messages))))


def test_refused_service_authorisations_are_told_and_counted(case: SimpleNamespace) -> None:
    claims = {"iss": "https://idms.mc1.lab", "mcptt_id": "sip:a@b"}
    own = case.register(1, destination="scscf"), case.response(2, 200, source="scscf")
    refused = [
        m
        for n in range(5)
        for m in (case.third_party(3 + 2 * n, claims, call_id=str(n)), case.said(4 + 2 * n, 403, str(n)))
    ]
    lines = list(lines_of(diagnose(case.see(*own, *refused))))
    assert lines[0].endswith(
        "service authorisation refused, 403, token of https://idms.mc1.lab for sip:a@b (frames 1-4)"
    )
    assert "  third-party REGISTER with access token" in lines[2]
    assert "... and 2 more that were refused" in lines
    assert ", 5 of 5 service authorisations refused; first cause: " in lines[-1]
    healthy = case.see(*own, case.third_party(3, claims), case.said(4, 200))
    assert list(lines_of(diagnose(healthy))) == ["healthy: 1 registrations, none failed; 1 service authorisations"]
