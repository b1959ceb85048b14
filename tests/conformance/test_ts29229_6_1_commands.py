"""TS 29.229 §6.1: each Cx command has the code, the flags and the AVPs that the specification gives it."""

import pytest

from diameter_proxy.diameter.commands import BY_KEY, CX

COMMON = {263, 260, 277, 264, 296}

# clause, request: code and (code of) AVPs it must have; what its answer may carry once
CLAUSES = [
    ("6.1.1", "UAR", 300, {1, 601, 600}, "UAA", {602, 603}),
    ("6.1.3", "SAR", 301, {602, 614, 624}, "SAA", {1, 606, 618, 632, 638}),
    ("6.1.5", "LIR", 302, {601}, "LIA", {602, 603, 653}),
    ("6.1.7", "MAR", 303, {1, 601, 612, 607, 602}, "MAA", {1, 601, 607}),
    ("6.1.9", "RTR", 304, {293, 1, 615}, "RTA", {632}),
    ("6.1.11", "PPR", 305, {293, 1}, "PPA", set()),
]


@pytest.mark.parametrize(("clause", "request_name", "code", "required", "answer_name", "once"), CLAUSES)
def test_pair_is_as_the_clause_has_it(
    clause: str, request_name: str, code: int, required: set[int], answer_name: str, once: set[int]
) -> None:
    request, answer = BY_KEY[(code, CX, True)], BY_KEY[(code, CX, False)]
    assert (request.name, answer.name) == (request_name, answer_name)
    assert request.section == f"TS 29.229 §{clause}"
    assert (request.flags, answer.flags) == (0xC0, 0x40)
    assert {avp.code for avp in request.required} == COMMON | {283} | required
    assert {avp.code for avp in answer.required} == COMMON
    assert {268, 297} | once <= {avp.code for avp in answer.once}
