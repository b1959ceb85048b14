"""Topology hiding on a live proxy, toward a peer of a hidden group (D.3): nothing of the inside leaves, answers fit.

S-CSCF -- agent of mc1 -- edge (ours, hides) -- agent of mc2        HSS -- edge -- a CSCF of another network
"""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, MAR, RTR
from diameter_proxy.diameter.message import Message
from diameter_proxy.explaining import Explanations

EDGE, REALM, FAR_REALM = "edge.mc1.lab", "ims.mc1.lab", "ims.mc2.lab"
NEAR, FAR = "dra.mc1.lab", "dra.mc2.lab"
ALICE = ("alice@ims.mc1.lab", "sip:alice@ims.mc1.lab")
HOP = d.PROXY_INFO.encode(d.PROXY_HOST.encode("icscf.mc1.lab") + d.PROXY_STATE.encode(b"state"))


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "hiding.key"
    file.write_bytes(b"k" * 32)
    return file


class Border:
    """An edge proxy with an agent of our own network and one of another before it."""

    def __init__(self, lab, tools, keys):
        self.lab, self.tools, self.keys = lab, tools, keys

    async def start(self):
        peers = [
            self.tools.peer(NEAR, REALM, "agent", hide_names=False),
            self.tools.peer(FAR, FAR_REALM, "agent"),
        ]
        hiding = {"keys": [str(key) for key in self.keys], "groups": ["agent"]}
        self.proxy = await self.lab.proxy(self.lab.tables("mc1", name="edge", peers=peers, hiding=hiding))
        port = self.tools.port_of(self.proxy)
        self.near = await self.lab.station(NEAR, REALM, [EDGE], port=port)
        self.far = await self.lab.station(FAR, FAR_REALM, [EDGE], port=port)
        for station in (self.near, self.far):
            station.answer = station.success
            await self.lab.open(station, EDGE)
        return self

    def from_inside(self):
        """Return a MAR of an S-CSCF of ours, as our agent passes it on."""
        octets = self.near.mar(*ALICE, realm=FAR_REALM, more=(HOP, d.ROUTE_RECORD.encode("scscf.mc1.lab")))
        return octets.replace(d.ORIGIN_HOST.encode(NEAR), d.ORIGIN_HOST.encode("cscf.mc1.lab"))

    async def pseudonym(self):
        """Return the Origin-Host under which the other network knows our S-CSCF."""
        await self.near.ask(EDGE, self.from_inside())
        return self.far.requests(MAR)[-1].require(d.ORIGIN_HOST)


@pytest.fixture
async def border(lab, tools, key):
    return await Border(lab, tools, [key]).start()


async def test_a_request_leaves_without_a_host_of_the_inside_and_its_answer_fits(border):
    asked = border.from_inside()
    answer = await border.near.ask(EDGE, asked)
    (got,) = border.far.requests(MAR)
    hosts = [got.require(d.ORIGIN_HOST), *got.all(d.ROUTE_RECORD)]
    assert all(host.startswith("hidden-") and host.endswith(f".{REALM}") for host in hosts)
    assert len(set(hosts)) == len(hosts) == 3, "Route-Record keeps its length: S-CSCF, then our agent"
    server_name = d.SERVER_NAME.encode(f"sip:{NEAR}:6060")
    assert b"cscf" not in got.octets
    assert NEAR.encode() not in got.octets.replace(server_name, b""), "a SIP name alone may be seen"
    assert (got.get(d.USER_NAME), got.header.end_to_end) == (ALICE[0], answer.header.end_to_end)
    assert answer.get(d.SESSION_ID) == Message.decode(asked).get(d.SESSION_ID) == f"{NEAR};42;1"
    assert answer.all(d.PROXY_INFO) == [HOP[8:]]
    assert (answer.get(d.ORIGIN_HOST), answer.result()) == (FAR, (0, 2001))


async def test_a_destination_host_that_comes_back_is_the_real_one_again(border):
    host = await border.pseudonym()
    answer = await border.far.ask(EDGE, border.far.rtr(ALICE[0], ALICE[1], host=host, realm=REALM))
    assert answer.result() == (0, 2001)
    (got,) = border.near.requests(RTR)
    assert got.get(d.DESTINATION_HOST) == "cscf.mc1.lab"
    assert got.get(d.SESSION_ID) == answer.get(d.SESSION_ID)
    assert answer.require(d.ORIGIN_HOST).startswith("hidden-")


async def test_another_proxy_or_the_next_run_with_the_key_knows_the_name(border, lab, tools, key, tmp_path):
    host = await border.pseudonym()
    await border.proxy.stop()
    new = tmp_path / "new.key"
    new.write_bytes(b"n" * 40)
    again = await Border(lab, tools, [new, key]).start()
    assert await again.pseudonym() != host
    await again.far.ask(EDGE, again.far.rtr(ALICE[0], ALICE[1], host=host, realm=REALM))
    assert again.near.requests(RTR)[0].get(d.DESTINATION_HOST) == "cscf.mc1.lab"


async def test_our_own_refusal_of_a_hidden_name_does_not_tell_it(border, tools):
    """The request names a host behind an agent that is gone: 3002, and the real name in no octet."""
    host = await border.pseudonym()
    await border.near.node.stop(deadline_s=0.5)
    await tools.until(lambda: not border.proxy.node.is_open(NEAR))
    answer = await border.far.ask(EDGE, border.far.rtr(ALICE[0], ALICE[1], host=host, realm=REALM))
    assert answer.result() == (0, 3002)
    assert b"cscf" not in answer.octets


async def test_a_pseudonym_of_nobody_leads_to_nobody(border):
    """Without the key no name can be made up: it is a host like any other, and goes by its realm."""
    host = "hidden-" + "a" * 52 + "." + REALM
    await border.far.ask(EDGE, border.far.rtr(ALICE[0], ALICE[1], host=host, realm=REALM))
    assert border.near.requests(RTR)[0].get(d.DESTINATION_HOST) == host


async def test_explain_says_what_would_be_hidden_and_restored(border):
    explanations = Explanations(border.proxy.proxy, lambda: 0.0)
    told = explanations.message(NEAR, border.from_inside())
    assert told["hidden"] == {
        FAR: dict.fromkeys(("Session-Id", "Origin-Host", "Proxy-Info", "Route-Record"), "rewritten")
    }
    host = await border.pseudonym()
    told = explanations.message(FAR, border.far.rtr(ALICE[0], ALICE[1], host=host, realm=REALM))
    assert told["restored"] == {"Destination-Host": "rewritten"}
    assert (told["peers"], "hidden" in told) == ([NEAR], False)


async def test_an_hss_is_hidden_from_a_cscf_of_another_network(lab, tools, key, events):
    hss = await lab.station("hss.mc1.lab", REALM, [EDGE])
    peers = [
        tools.peer("icscf.mc2.lab", FAR_REALM, "cscf", hide_names=True),
        tools.peer(hss.host, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(hss.node)),
    ]
    tables = lab.tables("mc1", name="edge", peers=peers, hiding={"keys": [str(key)]})
    proxy = await lab.proxy(tables)
    icscf = await lab.station("icscf.mc2.lab", FAR_REALM, [EDGE], port=tools.port_of(proxy))
    await lab.open(icscf, EDGE)
    await tools.until(lambda: proxy.node.is_open(hss.host))
    hss.answer = lambda message: hss.success(message, d.ERROR_REPORTING_HOST.encode(hss.host))
    answer = await icscf.ask(EDGE, icscf.lir(ALICE[1], realm=REALM))
    assert answer.require(d.ORIGIN_HOST) == answer.require(d.ERROR_REPORTING_HOST)
    assert b"hss" not in answer.octets
    again = await icscf.ask(EDGE, icscf.lir(ALICE[1], realm=REALM, host=answer.require(d.ORIGIN_HOST)))
    assert again.result() == (0, 2001)
    assert hss.requests(LIR)[1].get(d.DESTINATION_HOST) == hss.host
    hss.answer = lambda message: hss.success(message, bytes.fromhex("0000000140000007"))
    icscf.node.send(EDGE, icscf.lir(ALICE[1], realm=REALM))
    await tools.until(lambda: proxy.proxy.counters.answers_undeliverable == 1)
    (lost,) = [event for event in events if event["event"] == "answer.undeliverable"]
    assert lost["reason"].startswith("NamesNotHidden"), "what cannot be read does not leave"
