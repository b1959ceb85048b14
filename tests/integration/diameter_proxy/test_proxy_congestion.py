"""A destination that does not read, or answers too slowly: new requests are 3004 (DESIGN: back-pressure)."""

import asyncio

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message

REALM, PROXY, HSS = "ims.mc1.lab", "proxy1.mc1.lab", "hss.mc1.lab"


async def test_over_a_limit_of_unsent_octets_requests_are_3004(lab, tools):
    hss = await lab.station(HSS, REALM, [PROXY])
    peers = [
        tools.peer("scscf.mc1.lab", REALM, "cscf"),
        tools.peer(HSS, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(hss.node)),
    ]
    proxy = await lab.proxy(lab.tables("mc1", peers=peers, limits={"unsent_octets": 65536}))
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=tools.port_of(proxy), max_unsent_octets=1 << 28)
    await lab.open(cscf, PROXY)
    await lab.open(hss, PROXY)
    hss.node._by_name[PROXY].connection.pause_reading("test")  # the HSS has stopped reading
    filler = d.CLASS.encode(bytes(60_000))
    codes = []

    async def ask():
        answer: Message = await cscf.ask(PROXY, cscf.mar("a@" + REALM, "sip:a@" + REALM, more=[filler]))
        codes.append(answer.get(d.RESULT_CODE))

    asking = [asyncio.create_task(ask()) for _ in range(300)]
    await tools.until(lambda: 3004 in codes)
    paused = proxy.node._by_name["scscf.mc1.lab"].connection
    await tools.until(lambda: paused.is_paused_for_others)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_what_a_slow_hss_would_answer_too_late_is_3004_at_once(lab, tools):
    """Those that wait stay; new ones are refused unsent until the HSS answers again (RFC 6733 §7.1.3)."""
    hss = await lab.station(HSS, REALM, [PROXY])
    held = []
    hss.answer = held.append
    peers = [
        tools.peer("scscf.mc1.lab", REALM, "cscf"),
        tools.peer(HSS, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(hss.node)),
    ]
    budgets = {"aaa_2_s": 40, "csc_y_s": 35, "hss_s": 30}
    proxy = await lab.proxy(lab.tables("mc1", peers=peers, budgets=budgets))
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=tools.port_of(proxy))
    await lab.open(cscf, PROXY)
    await lab.open(hss, PROXY)

    def ask():
        return cscf.ask(PROXY, cscf.mar("a@" + REALM, "sip:a@" + REALM), deadline_s=30)

    waiting = [asyncio.create_task(ask()) for _ in range(300)]
    await tools.until(lambda: len(held) == 300, 30)
    has_room = proxy.proxy.forwarder.pending.has_room
    await tools.until(lambda: not has_room(HSS), 30)
    assert (await ask()).result() == (0, 3004)
    assert (len(held), any(task.done() for task in waiting)) == (300, False)
    for request in held:
        hss.node.send(PROXY, hss.multimedia_auth(request))
    answers = await asyncio.gather(*waiting)
    assert {answer.result() for answer in answers} == {(0, 2001)}
    hss.answer = hss.multimedia_auth
    assert (await ask()).result() == (0, 2001)
