"""A destination that does not read: new requests are 3004 and their source is paused (DESIGN: back-pressure)."""

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
