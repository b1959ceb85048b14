"""What another MC system may ask of us over CSC-Y, played by a raw node in its place (TS 23.280 CR, 7.5.2.Y)."""

import asyncio
import time

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR, RTR

REALM, PROXY = "ims.mc1.lab", "proxy1.mc1.lab"
LENT = ("mig-h1@ims.mc1.lab", "sip:mig-h1@ims.mc1.lab", "sip:mig-h1b@ims.mc1.lab")
OTHERS = ("mig-h3@ims.mc1.lab", "sip:mig-h3@ims.mc1.lab")
DEFAULT = ("001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab")


class Primary:
    pass


SHORT_S = 0.5


@pytest.fixture
def attempt_s():
    """How long the proxy waits for one HSS; far away, unless a test is about it."""
    return 20.0


@pytest.fixture
async def primary(lab, tools, attempt_s):
    """The proxy of mc1 with two HSSs, and raw proxies of mc2 and mc3."""
    primary = Primary()
    primary.feed, port = await lab.feed("mc1", REALM)
    stations = {name: await lab.station(f"{name}.mc1.lab", REALM, [PROXY]) for name in ("hss", "hss-b", "mms")}
    primary.hss, primary.hss_b, primary.mms = stations.values()
    for station in (primary.hss, primary.hss_b):
        station.answer = station.multimedia_auth
    peers = [
        tools.peer(station.host, REALM, name[:3], connect=True, address="127.0.0.1", port=tools.port_of(station.node))
        for name, station in stations.items()
    ]
    peers += [
        tools.peer(f"proxy1.{system}.lab", f"ims.{system}.lab", "partner", system=system, allow_plain=True)
        for system in ("mc2", "mc3")
    ]
    peers.append(tools.peer("scscf.mc1.lab", REALM, "cscf"))
    primary.proxy = await lab.proxy(
        lab.tables("mc1", peers=peers, feed_port=port, budgets={**tools.patient, "attempt_s": attempt_s})
    )
    for system in ("mc2", "mc3"):
        station = await lab.station(
            f"proxy1.{system}.lab", f"ims.{system}.lab", [PROXY], port=tools.port_of(primary.proxy)
        )
        await lab.open(station, PROXY)
        setattr(primary, system, station)
    await tools.until(lambda: all(primary.proxy.node.is_open(f"{name}.mc1.lab") for name in stations))
    primary.feed.lend("h1", "primary", "mc2", LENT, DEFAULT)
    primary.feed.lend("h3", "primary", "mc3", OTHERS, ("b@" + REALM, "sip:b@" + REALM))
    await tools.until(lambda: primary.proxy.proxy.identities.version == primary.feed.version)
    return primary


async def ask(station, *arguments, **more):
    return await station.ask(PROXY, station.mar(*arguments, realm=REALM, **more))


async def test_a_set_lent_to_that_system_gets_its_vector(primary):
    answer = await ask(primary.mc2, *LENT[:2])
    assert answer.get(d.RESULT_CODE) == 2001
    assert answer.get(d.USER_NAME) == LENT[0]
    got = primary.hss.requests(MAR)[0]
    assert got.get(d.ORIGIN_HOST) == PROXY
    assert got.all(d.ROUTE_RECORD) == ["proxy1.mc2.lab"]
    assert got.get(d.SERVER_NAME) == "sip:scscf.mc1.lab:6060"


async def test_another_systems_set_a_native_user_and_a_guess_are_one_answer(primary, events):
    """No oracle: same code, same text, nothing reaches the HSS."""
    guesses = (OTHERS, DEFAULT, ("mig-guess@" + REALM, "sip:mig-guess@" + REALM), ("u@else.lab", "sip:u@else.lab"))
    answers = [await ask(primary.mc2, *guess[:2]) for guess in guesses]
    assert {answer.result() for answer in answers} == {(10415, 5001)}
    assert {answer.get(d.ERROR_MESSAGE) for answer in answers} == {"user unknown"}
    assert primary.hss.got == primary.hss_b.got == []
    assert {event["step"] for event in events if event["event"] == "request.refused"} == {"10.6.2-6"}


async def test_a_disabled_set_is_5001_and_the_other_partner_is_not_affected(primary, tools):
    """EXAMPLE of 7.4.2.2.X."""
    primary.feed.change("h1", enabled=False)
    await tools.until(lambda: primary.proxy.proxy.identities.version == primary.feed.version)
    assert (await ask(primary.mc2, *LENT[:2])).result() == (10415, 5001)
    assert (await ask(primary.mc3, *OTHERS)).get(d.RESULT_CODE) == 2001


async def test_a_mixed_pair_is_5002_and_goes_nowhere(primary):
    for pair in ((LENT[0], OTHERS[1]), (LENT[0], DEFAULT[1]), (DEFAULT[0], LENT[1])):
        assert (await ask(primary.mc2, *pair)).result() == (10415, 5002)
    assert primary.hss.got == []


async def test_any_other_command_is_3001(primary):
    station = primary.mc2
    for asked in (
        station.uar(*LENT[:2], realm=REALM),
        station.sar(*LENT[:2], realm=REALM),
        station.lir(LENT[1], realm=REALM),
        station.rtr(LENT[0], LENT[1], host="scscf.mc1.lab", realm=REALM),
    ):
        answer = await station.ask(PROXY, asked)
        assert answer.get(d.RESULT_CODE) == 3001
        assert answer.header.is_error
    assert primary.hss.got == []


async def test_a_mar_that_lacks_its_item_or_holds_two_is_refused(primary):
    item = d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5"))
    assert (await ask(primary.mc2, *LENT[:2], more=[item])).get(d.RESULT_CODE) == 5009
    answer = await ask(primary.mc2, *LENT[:2], item=d.CLASS.encode(b"x"))
    assert answer.get(d.RESULT_CODE) == 5005
    assert primary.hss.got == []


@pytest.mark.parametrize("attempt_s", [SHORT_S])
async def test_a_silent_hss_is_tried_at_the_alternate_with_t(primary):
    primary.hss.answer = lambda message: None
    began = time.monotonic()
    answer = await ask(primary.mc2, *LENT[:2])
    assert answer.get(d.RESULT_CODE) == 2001
    assert SHORT_S * 0.9 <= time.monotonic() - began < 15
    first, second = primary.hss.requests(MAR)[0], primary.hss_b.requests(MAR)[0]
    assert not first.header.is_retransmitted
    assert second.header.is_retransmitted
    assert first.header.end_to_end == second.header.end_to_end
    assert first.octets[20:] == second.octets[20:]


@pytest.mark.parametrize("attempt_s", [SHORT_S])
async def test_the_late_answer_of_the_first_is_discarded(primary, tools):
    kept = []
    primary.hss.answer = lambda message: kept.append(message)
    assert (await ask(primary.mc2, *LENT[:2])).get(d.RESULT_CODE) == 2001
    primary.hss.node.send(PROXY, primary.hss.multimedia_auth(kept[0]))
    await tools.until(lambda: primary.proxy.proxy.counters.answers_discarded == 1)


async def test_an_hss_that_dies_with_a_request_is_replaced_at_once(primary, tools):
    primary.hss.answer = lambda message: None
    asking = asyncio.create_task(ask(primary.mc2, *LENT[:2]))
    await tools.until(lambda: primary.hss.got)
    began = time.monotonic()
    await primary.hss.node.stop(deadline_s=0.1)
    assert (await asking).get(d.RESULT_CODE) == 2001
    assert time.monotonic() - began < 15
    assert primary.hss_b.requests(MAR)[0].header.is_retransmitted


async def test_a_busy_hss_is_tried_at_the_alternate_once_else_its_3004_passes(primary):
    primary.hss.answer = lambda message: primary.hss.success(message, result_code=3004)
    assert (await ask(primary.mc2, *LENT[:2])).get(d.RESULT_CODE) == 2001
    primary.hss_b.answer = lambda message: primary.hss_b.success(message, result_code=3004)
    answer = await ask(primary.mc2, *LENT[:2])
    assert answer.get(d.RESULT_CODE) == 3004
    assert answer.header.is_error
    assert answer.get(d.USER_NAME) == LENT[0]


async def test_a_redirect_of_the_hss_is_followed_and_never_told_to_the_other_system(primary):
    """RFC 6733 §6.1.8; an indication that cannot be followed would name hosts of this core: 3002."""
    named = [f"aaa://{primary.hss_b.host}:3868", "aaa://hss-c.mc1.lab"]

    def answer(message):
        return primary.hss.success(message, d.REDIRECT_HOST.encode(named[0]), result_code=3006)

    primary.hss.answer = answer
    assert (await ask(primary.mc2, *LENT[:2])).get(d.RESULT_CODE) == 2001
    assert len(primary.hss_b.requests(MAR)) == 1
    named.pop(0)
    refused = await ask(primary.mc2, *LENT[:2])
    assert refused.get(d.RESULT_CODE) == 3002
    assert b"hss-c" not in refused.octets


async def test_duplicates_are_joined_and_answered_from_memory_only_when_all_six_fields_are_equal(primary, tools):
    waiting = []
    primary.hss.answer = lambda message: waiting.append(message)
    asked = primary.mc2.mar(*LENT[:2], realm=REALM)
    first = asyncio.create_task(primary.mc2.ask(PROXY, asked))
    second = asyncio.create_task(primary.mc2.ask(PROXY, asked))
    await tools.until(lambda: waiting and primary.proxy.proxy.counters.duplicates_joined == 1)
    primary.hss.node.send(PROXY, primary.hss.multimedia_auth(waiting[0]))
    joined = [await first, await second]
    assert joined[0].octets[20:] == joined[1].octets[20:]
    assert (await primary.mc2.ask(PROXY, asked)).octets[20:] == joined[0].octets[20:]
    assert len(primary.hss.requests(MAR)) == 1
    assert primary.proxy.proxy.counters.duplicates_answered == 1
    primary.hss.answer = primary.hss.multimedia_auth
    number = int.from_bytes(asked[16:20], "big")
    assert (await ask(primary.mc2, *LENT[:2], end_to_end=number)).get(d.RESULT_CODE) == 2001
    assert (await ask(primary.mc2, LENT[0], LENT[2], end_to_end=number)).get(d.RESULT_CODE) == 2001
    assert len(primary.hss.requests(MAR)) == 3


async def test_memory_says_nothing_of_a_binding_that_was_withdrawn(primary, tools):
    asked = primary.mc2.mar(*LENT[:2], realm=REALM)
    assert (await primary.mc2.ask(PROXY, asked)).get(d.RESULT_CODE) == 2001
    primary.feed.change("h1", enabled=False)
    await tools.until(lambda: primary.proxy.proxy.identities.version == primary.feed.version)
    assert (await primary.mc2.ask(PROXY, asked)).result() == (10415, 5001)


async def test_rtr_of_the_hss_for_a_migrated_user_is_2001_and_told_to_the_mms(primary, tools):
    """A stolen UE must not stay on at the partner."""
    for identities in (LENT, DEFAULT):
        asked = primary.hss.rtr(*identities[:2], host=PROXY)
        assert (await primary.hss.ask(PROXY, asked)).get(d.RESULT_CODE) == 2001
    await tools.until(lambda: len(primary.feed.events) == 2)
    assert {event["private_user_identity"] for event in primary.feed.events} == {LENT[0], DEFAULT[0]}


@pytest.mark.parametrize("attempt_s", [SHORT_S])
async def test_rtr_of_a_migrated_user_also_reaches_the_home_cscf_and_its_silence_is_2001(primary, lab, tools):
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=tools.port_of(primary.proxy))
    await lab.open(cscf, PROXY)
    asked = primary.hss.rtr(*DEFAULT, host="scscf.mc1.lab")
    assert (await primary.hss.ask(PROXY, asked)).get(d.RESULT_CODE) == 2001
    assert len(cscf.requests(RTR)) == 1


async def test_an_rtr_is_taken_only_from_the_owner_of_the_identity(primary):
    asked = primary.mms.rtr(*DEFAULT, host="scscf.mc1.lab")
    assert (await primary.mms.ask(PROXY, asked)).result() == (10415, 5001)
    asked = primary.hss.rtr("mig-p5@" + REALM, "sip:mig-p5@" + REALM, host="scscf.mc1.lab")
    assert (await primary.hss.ask(PROXY, asked)).result() == (10415, 5001)


async def test_without_an_hss_it_is_3002_at_once_with_the_identities_as_asked(primary, tools):
    for station in (primary.hss, primary.hss_b):
        await station.node.stop(deadline_s=0.1)
    await tools.until(lambda: not any(primary.proxy.node.is_open(f"{n}.mc1.lab") for n in ("hss", "hss-b")))
    began = time.monotonic()
    answer = await ask(primary.mc2, *LENT[:2])
    assert answer.get(d.RESULT_CODE) == 3002
    assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == LENT[:2]
    assert time.monotonic() - began < 15


async def test_an_rtr_addressed_to_the_proxy_goes_to_the_s_cscf_that_serves_the_user(primary, lab, tools):
    """An HSS that keeps the Origin-Host of a MAR (FHoSS) has kept the proxy's, and sends its RTR there."""
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=tools.port_of(primary.proxy))
    cscf.answer = cscf.success
    await lab.open(cscf, PROXY)
    native = ("001010000000009@" + REALM, "sip:zoe@" + REALM)
    asked = primary.hss.rtr(*native, host=PROXY)
    assert (await primary.hss.ask(PROXY, asked)).get(d.RESULT_CODE) == 3002
    primary.hss.answer = primary.hss_b.answer = primary.hss.success
    for identities in (native, DEFAULT):
        assert (await cscf.ask(PROXY, cscf.sar(*identities[:2]))).get(d.RESULT_CODE) == 2001
        asked = primary.hss.rtr(*identities[:2], host=PROXY)
        assert (await primary.hss.ask(PROXY, asked)).get(d.RESULT_CODE) == 2001
    got = cscf.requests(RTR)
    assert [rtr.get(d.USER_NAME) for rtr in got] == [native[0], DEFAULT[0]]
    assert {rtr.get(d.DESTINATION_HOST) for rtr in got} == {"scscf.mc1.lab"}
    await tools.until(lambda: [event["private_user_identity"] for event in primary.feed.events] == [DEFAULT[0]])


async def test_behind_an_agent_the_system_is_the_origin_realm_that_it_vouches_for(lab, tools):
    """What the agent does not vouch for is 5001, and an agent's word for another's set too; nothing reaches the HSS."""
    feed, port = await lab.feed("mc1", REALM)
    hss = await lab.station("hss.mc1.lab", REALM, [PROXY])
    hss.answer = hss.multimedia_auth
    agent_row = tools.peer(
        "dra.mc1.lab", "ims.mc1.lab", "partner", allow_plain=True, vouches_for={"mc2": "ims.mc2.lab"}, requests_per_s=1,
        burst=3,
    )  # fmt: skip
    hss_row = tools.peer("hss.mc1.lab", REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(hss.node))
    proxy = await lab.proxy(lab.tables("mc1", peers=[agent_row, hss_row], feed_port=port))
    agent = await lab.station("dra.mc1.lab", REALM, [PROXY], port=tools.port_of(proxy))
    await lab.open(agent, PROXY)
    feed.lend("h1", "primary", "mc2", LENT, DEFAULT)
    feed.lend("h3", "primary", "mc3", OTHERS, ("b@" + REALM, "sip:b@" + REALM))
    await tools.until(lambda: proxy.proxy.identities.version == feed.version)
    await tools.until(lambda: proxy.node.is_open("hss.mc1.lab"))

    async def result(identities, origin_realm):
        asked = agent.mar(*identities[:2], realm=REALM).replace(
            d.ORIGIN_REALM.encode(REALM), d.ORIGIN_REALM.encode(origin_realm)
        )
        asked = b"\1" + len(asked).to_bytes(3, "big") + asked[4:]
        return (await agent.ask(PROXY, asked)).result()

    assert await result(LENT, "ims.mc3.lab") == (10415, 5001)
    assert await result(OTHERS, "ims.mc2.lab") == (10415, 5001)
    assert hss.got == []
    assert await result(LENT, "ims.mc2.lab") == (0, 2001)
    assert await result(LENT, "ims.mc2.lab") == (0, 3004)
