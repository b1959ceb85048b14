"""A set is lent in mode sip-database only when the HSS says that it knows every pair of it."""

from collections.abc import Callable

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import UAR
from diameter_proxy.diameter.message import Message, encode_answer
from diameter_proxy.diameter.values import UserAuthorizationType
from mmserver.identity import parse_sip_identities
from mmserver.migration.config import MmsConfig, SipDatabaseTable
from mmserver.migration.deregistration import RequestFailed
from mmserver.migration.errors import SipDatabaseUnreachable
from mmserver.migration.sip_database import SipDatabase

LENT = parse_sip_identities("mig-a@ims.mc2.lab", ["sip:mig-a@ims.mc2.lab", "tel:+49301", "sip:mig-b@ims.mc2.lab"])


class Hss:
    """Answers as told: (result, None) of RFC 6733, (None, experimental) of 3GPP, None for silence."""

    def __init__(self, *answers: tuple[int | None, int | None] | None) -> None:
        self.answers = list(answers)
        self.asked: list[Message] = []

    async def __call__(self, peer: str, octets: bytes, deadline_s: float) -> bytes:
        assert (peer, deadline_s) == ("hss.mc2.lab", 0.5)
        self.asked.append(Message.decode(octets))
        answer = self.answers.pop(0)
        if answer is None:
            raise RequestFailed("RequestTimeout")
        result, experimental = answer
        realm = "ims.mc2.lab"
        return encode_answer(
            octets, origin_host=peer, origin_realm=realm, result_code=result, experimental=experimental
        )


def database(make_config: Callable[..., MmsConfig], hss: Hss) -> SipDatabase:
    config = make_config()
    table = SipDatabaseTable(host="hss.mc2.lab", address="127.0.0.1", deadline_s=0.5)
    return SipDatabase(table, config.diameter, "ims.mc2.lab", request=hss, next_end_to_end=lambda: 7)


async def test_every_pair_is_asked_and_nothing_is_changed_at_the_hss(make_config: Callable[..., MmsConfig]) -> None:
    hss = Hss((2001, None), (None, 2001))
    assert await database(make_config, hss).knows(LENT)
    assert [uar.require(d.PUBLIC_IDENTITY) for uar in hss.asked] == ["sip:mig-a@ims.mc2.lab", "sip:mig-b@ims.mc2.lab"]
    for uar in hss.asked:
        assert uar.header.command_code == UAR.code
        assert uar.require(d.USER_NAME) == "mig-a@ims.mc2.lab"
        assert uar.require(d.DESTINATION_REALM) == "ims.mc2.lab"
        assert uar.require(d.USER_AUTHORIZATION_TYPE) is UserAuthorizationType.REGISTRATION_AND_CAPABILITIES


@pytest.mark.parametrize("experimental", [5001, 5002, 5004])
async def test_what_it_does_not_know_is_not_lent(make_config: Callable[..., MmsConfig], experimental: int) -> None:
    assert not await database(make_config, Hss((2001, None), (None, experimental))).knows(LENT)


@pytest.mark.parametrize("answer", [None, (3002, None), (5001, None), (5012, None), (None, 5003)])
async def test_whatever_is_neither_yes_nor_no_refuses(
    make_config: Callable[..., MmsConfig], answer: tuple[int | None, int | None] | None
) -> None:
    """5001 and 5002 without a vendor are AVP_UNSUPPORTED and UNKNOWN_SESSION_ID: no answer to the question."""
    with pytest.raises(SipDatabaseUnreachable):
        await database(make_config, Hss(answer)).knows(LENT)
