"""Our agreements beside those of our migration management server."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from mmserver.configuration.cross_check import CrossCheck, differences
from mmserver.configuration.errors import EntryNotUsable
from mmserver.configuration.peer import PeerNonsense, PeerUnreachable
from mmserver.messages import AgreementAtMms

UNKNOWN = (
    "the migration management server has no agreement with mc2: add it to [[partners]] of its mms.toml, "
    "then have that read (mmserver migration reload)"
)
DOWN = PeerUnreachable("https://mms.mc1.lab: no answer in 2.0 s")


def at_mms(**changes: Any) -> AgreementAtMms:
    table = {
        "name": "mc2",
        "realms": ["ims.mc2.lab"],
        "migration_management_servers": ["mms.mc2.lab"],
        "services": ["mcptt", "mcvideo", "mcdata"],
        **changes,
    }
    return AgreementAtMms.model_validate(table)


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [
        ({}, {}, []),
        ({}, None, [UNKNOWN]),
        ({"services": ["mcdata", "mcptt", "mcvideo"]}, {}, []),
        ({"services": ["mcptt"]}, {}, ["services: mcptt here, mcdata, mcptt, mcvideo in mms.toml"]),
        ({}, {"services": ["mcptt"]}, ["services: mcdata, mcptt, mcvideo here, mcptt in mms.toml"]),
        ({"realms": ["a.lab"]}, {}, ["realms: a.lab here, ims.mc2.lab in mms.toml"]),
        ({"realms": ["IMS.mc2.lab"]}, {}, []),
        (
            {"migration_management_servers": ["mms2.mc2.lab"]},
            {},
            ["migration_management_servers: mms2.mc2.lab here, mms.mc2.lab in mms.toml"],
        ),
        ({"migration_management_servers": []}, {}, []),
    ],
)
def test_each_difference_is_named(make_config, partner, ours: Any, theirs: Any, wanted: list[str]) -> None:
    (agreement,) = make_config("mc1", partner("mc2", **ours)).partners
    known = [] if theirs is None else [at_mms(**theirs)]
    assert list(differences((agreement,), known)) == [("mc2", text) for text in wanted]


def check_of(catalogue: Any, mms: Any) -> CrossCheck:
    return CrossCheck(mms, lambda: catalogue, retry_s=0.0)


async def test_an_agreement_is_put_in_force_only_where_the_partner_is_known(catalogue_of, partner, memory_mms) -> None:
    catalogue, mms = catalogue_of("mc1", partner("mc2")), memory_mms("mc1")
    check, agreement = check_of(catalogue, mms), catalogue.partners["mc2"]
    with pytest.raises(EntryNotUsable) as refused:
        await check.require_known(agreement)
    assert refused.value.detail == UNKNOWN
    mms.agreed = [at_mms()]
    assert await check.require_known(agreement) == ()
    mms.agreed = [at_mms(services=["mcptt"])]
    with capture_logs() as lines:
        (warning,) = await check.require_known(agreement)
    assert warning == "agreement mc2: services: mcdata, mcptt, mcvideo here, mcptt in mms.toml"
    assert [(line["event"], line["partner"]) for line in lines] == [("agreement.differs", "mc2")]


@pytest.mark.parametrize("failure", [DOWN, PeerNonsense("GET /csc-x/v1/agreements: 1 faults in the answer")])
async def test_who_cannot_be_asked_refuses_nothing(catalogue_of, partner, memory_mms, failure: Exception) -> None:
    catalogue, mms = catalogue_of("mc1", partner("mc2")), memory_mms("mc1")
    mms.fail["agreements"] = failure
    check = check_of(catalogue, mms)
    with capture_logs() as lines:
        (warning,) = await check.require_known(catalogue.partners["mc2"])
        assert await check.review() == (warning,)
    assert warning == f"not checked against the migration management server: {failure}"
    assert [line["event"] for line in lines] == ["agreement.unchecked", "agreements.unchecked"]
    with pytest.raises(type(failure)):
        await check.find()


class Answers:
    """A migration management server that fails twice, then answers; the next question never comes to an end."""

    def __init__(self, *agreements: AgreementAtMms) -> None:
        self.script: list[Any] = [DOWN, DOWN, list(agreements)]
        self.answered = asyncio.Event()

    async def agreements(self) -> list[AgreementAtMms]:
        one = self.script.pop(0)
        if isinstance(one, Exception):
            raise one
        self.answered.set()
        return one


async def test_the_start_is_reviewed_once_the_server_answers(catalogue_of, partner) -> None:
    """One line while nobody answers, one for each difference then, and no question after the answer."""
    mms = Answers(at_mms(realms=["a.lab"]))
    check = check_of(catalogue_of("mc1", partner("mc2"), partner("mc3", client_name="cms.mc3.lab")), mms)
    with capture_logs() as lines:
        task = asyncio.create_task(check.run())
        await asyncio.wait_for(mms.answered.wait(), 10)
        done, _ = await asyncio.wait([task], timeout=0.05)
        task.cancel()
        await asyncio.wait([task])
    assert (done, mms.script) == (set(), [])
    assert [(line["event"], line.get("partner")) for line in lines] == [
        ("agreements.unchecked", None),
        ("agreement.differs", "mc2"),
        ("agreement.differs", "mc3"),
        ("agreements.checked", None),
    ]
    assert (lines[-1]["agreements"], lines[-1]["differences"]) == (2, 2)


async def test_without_an_agreement_nobody_is_asked(catalogue_of, memory_mms) -> None:
    mms = memory_mms("mc1")
    assert await check_of(catalogue_of("mc1"), mms).review() == ()
    assert mms.calls == []
