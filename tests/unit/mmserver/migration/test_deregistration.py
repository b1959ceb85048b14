"""RTR: where it goes, what it names, how often it is tried."""

from collections.abc import Callable
from typing import Any

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message, encode_answer
from mmserver.migration.bindings import IdentityBinding, Registration, register
from mmserver.migration.config import MmsConfig
from mmserver.migration.deregistration import Deregistration, RequestFailed


class Core:
    """Answers RTRs as told: None is silence."""

    def __init__(self, *results: int | None) -> None:
        self.results = list(results)
        self.sent: list[tuple[str, Message]] = []

    async def __call__(self, peer: str, octets: bytes, deadline_s: float) -> bytes:
        self.sent.append((peer, Message.decode(octets)))
        result = self.results.pop(0)
        if result is None:
            raise RequestFailed("RequestTimeout")
        return encode_answer(octets, origin_host="scscf.mc2.lab", origin_realm="ims.mc2.lab", result_code=result)


@pytest.fixture
async def registered(mms: Any) -> IdentityBinding:
    binding = await mms.allocated(impus=2)
    return register(binding, Registration("sip:scscf.mc2.lab:6060", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 600))


def sender(config: MmsConfig, core: Core, open_peers: tuple[str, ...] = ()) -> Deregistration:
    return Deregistration(config.diameter, request=core, open_peers=lambda: open_peers, next_end_to_end=lambda: 77)


async def test_the_rtr_names_the_whole_set_and_goes_to_the_stored_node(
    make_config: Callable[..., MmsConfig], registered: IdentityBinding
) -> None:
    core = Core(2001)
    assert await sender(make_config(), core, ("proxy2.mc2.lab",))(registered, 77, retransmitted=False)
    peer, rtr = core.sent[0]
    assert peer == "proxy2.mc2.lab"
    assert (rtr.require(d.DESTINATION_HOST), rtr.require(d.DESTINATION_REALM)) == ("scscf.mc2.lab", "ims.mc2.lab")
    assert rtr.require(d.USER_NAME) == registered.identities.private_user_identity
    assert tuple(rtr.all(d.PUBLIC_IDENTITY)) == registered.identities.public_user_identities
    reason = rtr.group(d.DEREGISTRATION_REASON)
    assert reason is not None
    assert reason.require(d.REASON_CODE) == 0


async def test_silence_is_tried_three_times_with_t_and_the_same_end_to_end(
    make_config: Callable[..., MmsConfig], registered: IdentityBinding
) -> None:
    core = Core(None, None, None)
    config = make_config(diameter__rtr_deadline_s=0.005)
    assert not await sender(config, core, ("proxy1.mc2.lab", "proxy2.mc2.lab"))(registered, 77, retransmitted=False)
    assert [peer for peer, _ in core.sent] == ["proxy1.mc2.lab", "proxy2.mc2.lab", "proxy1.mc2.lab"]
    assert [rtr.header.is_retransmitted for _, rtr in core.sent] == [False, True, True]
    assert {rtr.header.end_to_end for _, rtr in core.sent} == {77}


async def test_an_error_is_tried_again_and_no_confirmation(
    make_config: Callable[..., MmsConfig], registered: IdentityBinding
) -> None:
    assert await sender(make_config(), Core(3002, 2001))(registered, 77, retransmitted=False)
    assert not await sender(make_config(), Core(5012, 5012, 5012))(registered, 77, retransmitted=False)


async def test_an_rtr_taken_over_from_another_instance_has_its_end_to_end_and_t_from_the_first_try(
    make_config: Callable[..., MmsConfig], registered: IdentityBinding
) -> None:
    """RFC 6733 §3: the receiver may have had it already."""
    core = Core(2001)
    assert await sender(make_config(), core)(registered, 42, retransmitted=True)
    assert [(rtr.header.end_to_end, rtr.header.is_retransmitted) for _, rtr in core.sent] == [(42, True)]


def test_the_longest_time_covers_all_tries(make_config: Callable[..., MmsConfig]) -> None:
    config = make_config(diameter__rtr_deadline_s=2.0)
    assert sender(config, Core()).longest_s == 3 * 2.0 + 1.0
