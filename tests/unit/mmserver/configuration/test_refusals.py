"""What a peer did becomes a refusal of ours."""

import pytest

from mmserver.configuration.errors import AnswerNotUsable, PartnerUnreachable, PeerOverloaded, Refusal, RefusedElsewhere
from mmserver.configuration.peer import PeerFailure, PeerNonsense, PeerRefused, PeerUnreachable
from mmserver.configuration.refusals import passed_on, refusing
from mmserver.messages import Problem

PREFIX = "urn:mc-migration:problem:"
PROBLEM = Problem(
    type=PREFIX + "no-free-partner-set", title="None free", status=409, detail="mig-1@x is taken", step="10.1.X.1-10"
)


async def refusal_of(failure: PeerFailure) -> Refusal:
    with pytest.raises(Refusal) as raised:
        async with refusing(PartnerUnreachable, answer_step=12, by="the partner"):
            raise failure
    return raised.value


async def test_an_unreachable_peer_has_the_refusal_that_the_caller_names() -> None:
    assert isinstance(await refusal_of(PeerUnreachable("x")), PartnerUnreachable)


async def test_a_peer_that_says_it_is_unavailable_is_one_that_cannot_be_reached() -> None:
    """Its store is away or its disk full (503): to come again helps, so the caller's 503 or 504 says that."""
    full = PROBLEM.model_copy(update={"type": PREFIX + "store-unavailable", "status": 503, "step": None})
    assert isinstance(await refusal_of(PeerRefused(full)), PartnerUnreachable)


@pytest.mark.parametrize(("name", "status"), [("too-many-requests", 429), ("overloaded", 503)])
async def test_a_peer_with_too_much_to_do_is_overloaded_at_the_step_that_asks_it(name: str, status: int) -> None:
    """The UE is to come again, and is not told that it asked too often itself."""
    problem = Problem(type=PREFIX + name, title="", status=status)
    refusal = await refusal_of(PeerRefused(problem))
    assert isinstance(refusal, PeerOverloaded)
    assert (refusal.name, refusal.status, refusal.step) == ("overloaded", 503, "10.1.X.1-7")
    assert refusal.detail == "the partner has too much to do; try again later"
    # The partner says so of its migration management server: the step is there.
    passed = await refusal_of(PeerRefused(problem.model_copy(update={"step": "10.1.X.1-9", "status": 503})))
    assert (passed.name, passed.status, passed.step) == (name, 503, "10.1.X.1-9")


async def test_nonsense_is_an_answer_that_cannot_be_used() -> None:
    refusal = await refusal_of(PeerNonsense("x"))
    assert isinstance(refusal, AnswerNotUsable)
    assert refusal.step == "10.1.X.1-12"


async def test_a_refusal_is_passed_on_without_its_detail() -> None:
    """Details may name SIP identities that must not reach the UE."""
    refusal = await refusal_of(PeerRefused(PROBLEM))
    assert isinstance(refusal, RefusedElsewhere)
    assert (refusal.name, refusal.title, refusal.status) == ("no-free-partner-set", "None free", 409)
    assert (refusal.step, refusal.detail) == ("10.1.X.1-10", "refused by the partner")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "about:blank"},
        {"type": PREFIX + "NO SUCH"},
        {"type": PREFIX + "x" * 65},
        {"step": None},
        {"step": "10.6.2-3"},
        {"step": "10.1.X.1-14"},
        {"status": 200},
        {"status": 700},
    ],
)
async def test_a_refusal_that_is_none_of_the_procedure_is_not_passed_on(changes: dict[str, object]) -> None:
    problem = PROBLEM.model_copy(update=changes)
    assert passed_on(problem, "x") is None
    assert isinstance(await refusal_of(PeerRefused(problem)), AnswerNotUsable)


def test_an_overlong_title_is_cut() -> None:
    refusal = passed_on(PROBLEM.model_copy(update={"title": "x" * 999}), "x")
    assert refusal is not None and len(refusal.title) == 120
