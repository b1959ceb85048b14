"""Redirect indications on a live proxy (RFC 6733 §6.1.8, §6.12): followed to peers of ours of the same kind alone."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR

REALM, PROXY, ALICE = "ims.mc1.lab", "proxy1.mc1.lab", "sip:alice@ims.mc1.lab"
AGENT, HSS = "redirect.mc1.lab", "hss.mc1.lab"


@pytest.fixture
async def core(lab, tools):
    """An S-CSCF, a redirect agent that is tried first, and the HSS that it names."""
    agent, hss = await lab.station(AGENT, REALM, [PROXY]), await lab.station(HSS, REALM, [PROXY])
    rows = [tools.peer("scscf.mc1.lab", REALM, "cscf")]
    for station in (agent, hss):
        where = {"connect": True, "address": "127.0.0.1", "port": tools.port_of(station.node)}
        rows.append(tools.peer(station.host, REALM, "hss", **where))
    proxy = await lab.proxy(lab.tables("mc1", peers=rows))
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=tools.port_of(proxy))
    for station in (cscf, agent, hss):
        await lab.open(station, PROXY)
    hss.answer = hss.success
    return cscf, agent, hss


def redirecting(station, *uris):
    """Have a station answer as a redirect agent does."""
    named = [d.REDIRECT_HOST.encode(uri) for uri in uris]
    station.answer = lambda message: station.success(message, *named, result_code=3006)


async def test_a_request_goes_to_the_host_that_is_named_without_t(core):
    cscf, agent, hss = core
    redirecting(agent, "aaa://stranger.lab:3868;transport=tcp", f"aaa://{HSS.upper()}:3868;transport=tcp")
    answer = await cscf.ask(PROXY, cscf.lir(ALICE))
    assert answer.result() == (0, 2001)
    assert answer.get(d.ORIGIN_HOST) == HSS
    (first,), (second,) = agent.requests(LIR), hss.requests(LIR)
    assert not second.header.is_retransmitted
    assert second.header.end_to_end == first.header.end_to_end
    assert second.octets[20:] == first.octets[20:]


async def test_an_indication_that_names_nobody_of_ours_is_passed_on(core):
    cscf, agent, hss = core
    redirecting(agent, "aaa://stranger.lab")
    answer = await cscf.ask(PROXY, cscf.lir(ALICE))
    assert (answer.result(), answer.header.is_error) == ((0, 3006), True)
    assert hss.requests(LIR) == []


async def test_agents_that_send_each_other_in_a_circle_end_it(core):
    cscf, agent, hss = core
    redirecting(agent, f"aaa://{HSS}")
    redirecting(hss, f"aaa://{AGENT}")
    assert (await cscf.ask(PROXY, cscf.lir(ALICE))).result() == (0, 3006)
    assert (len(agent.requests(LIR)), len(hss.requests(LIR))) == (1, 1)
