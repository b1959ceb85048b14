"""Reload at run time, and the admin socket, on real connections (D.4): open peers stay open."""

import asyncio
import json
import ssl

import pytest

from diameter_proxy.admin import AdminError, ask, follow
from diameter_proxy.node.errors import ReloadRefused
from diameter_proxy.node.node import tls_identities
from tests.integration.diameter_proxy.reloadable import (
    BOB,
    HSS,
    ICSCF,
    LISTENER,
    NODE,
    PEER,
    PROXY,
    REALM,
    SCSCF,
    Running,
)


@pytest.fixture
async def running(lab, tools, tmp_path):
    return await Running(lab, tools, tmp_path).start()


async def test_a_new_peer_is_let_in_and_the_open_ones_are_not_touched(running, lab):
    running.write(SCSCF, ICSCF, "[limits]\nparked = 7\n")
    await running.server.reload(running.file)
    icscf = await lab.station("icscf.mc1.lab", REALM, [PROXY], port=running.port)
    await lab.open(icscf, PROXY)
    assert await running.relayed() == 2001
    assert (running.opened("scscf.mc1.lab"), running.opened("hss.mc1.lab")) == (1, 1)
    assert running.server.proxy.look_ups._parked_max == 7


async def test_a_group_is_limited_and_a_row_excepted_without_touching_a_peer(running):
    group = '[groups.cscf]\ncommands = ["UAR", "LIR"]\n'
    running.write(SCSCF, group)
    await running.server.reload(running.file)
    assert await running.relayed() == 3001
    request = {"peer": "scscf.mc1.lab", "message": running.scscf.mar(*BOB).hex()}
    told = await asyncio.to_thread(ask, running.file.parent / "admin.sock", "explain", **request)
    assert told["limits"] == ["commands = UAR LIR (groups.cscf)"]
    running.write(SCSCF + 'commands = ["MAR"]\n', group)
    await running.server.reload(running.file)
    assert await running.relayed() == 2001
    assert running.opened("scscf.mc1.lab") == 1


async def test_a_peer_that_is_taken_out_hears_a_dpr_and_is_a_stranger(running, tools, events):
    running.write(ICSCF)
    await running.server.reload(running.file)
    await tools.until(lambda: not running.scscf.node.is_open(PROXY))
    await tools.until(lambda: running.scscf.node.peers[PROXY].state == "CLOSED")
    assert any(event.get("reason") == "DPR with cause DO_NOT_WANT_TO_TALK_TO_YOU" for event in events)
    assert list(running.server.node.peers) == ["hss.mc1.lab", "icscf.mc1.lab"]


async def test_a_peer_whose_row_changed_is_connected_to_anew(running, lab, tools):
    other = await lab.station("hss.mc1.lab", REALM, [PROXY])
    other.answer = other.multimedia_auth
    running.write(SCSCF, hss=HSS.format(host="hss", port=tools.port_of(other.node)))
    await running.server.reload(running.file)
    await tools.until(lambda: other.node.is_open(PROXY) and running.server.node.is_open("hss.mc1.lab"))
    assert await running.relayed() == 2001
    assert len(other.got) == 1
    assert running.opened("scscf.mc1.lab") == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"node": NODE.replace("proxy1", "proxy9")}, "node: another Origin-Host"),
        ({"node": NODE + 'system = "mc9"\n'}, "node.system: a change"),
        ({"listener": LISTENER + LISTENER}, "listeners: a change"),
        ({"node": NODE + "colour = 1\n"}, "proxy.toml: node.colour: no such setting"),
    ],
)
async def test_what_takes_a_restart_is_refused_and_all_stays(running, change, reason):
    running.write(**change)
    with pytest.raises(ReloadRefused, match=reason):
        await running.server.reload(running.file)
    assert await running.relayed() == 2001
    assert running.opened("scscf.mc1.lab") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"node": NODE + f"watchdog_s = {'9' * 5000}\n"},
        {"node": NODE + "x = " + "[" * 100_000},
        {"node": "\0"},
        {"listener": LISTENER + '[metrics]\nlisten = "127.0.0.1:99999"\n'},
        {"listener": LISTENER + f'[metrics]\nlisten = "{"x" * 70}:9100"\n'},
        {"admin": '[admin]\nsocket = "a\\u0000b"\n'},
        {"admin": f'[admin]\nsocket = "{"x" * 200}"\n'},
        {"node": NODE + "colour = 1\n"},
    ],
)
async def test_whatever_goes_wrong_is_one_line_of_the_log_and_the_answer_at_the_admin_socket(
    running, events, change, tools
):
    running.write(SCSCF, **change)
    with pytest.raises(AdminError) as refused:
        await asyncio.to_thread(ask, running.file.parent / "admin.sock", "reload")
    running.server.hang_up()
    await tools.until(lambda: len(reasons(events)) == 2)
    for reason in reasons(events):
        assert "\n" not in reason.strip()
        assert str(refused.value).endswith(reason)
    running.write(SCSCF, ICSCF)
    assert await asyncio.to_thread(ask, running.file.parent / "admin.sock", "reload") == "done"
    assert await running.relayed() == 2001
    assert running.opened("scscf.mc1.lab") == 1


def reasons(events):
    return [event["reason"] for event in events if event["event"] == "reload.refused"]


async def test_a_stop_does_not_wait_for_a_file_that_takes_long(running, events, tools):
    """A large file here; it may be one on a disk that hangs.  ``test_reading`` has the end of a process."""
    rows = (PEER.format(host=f"x{number}", group="cscf") for number in range(5000))
    running.write(SCSCF, *rows)
    first, second = (asyncio.create_task(running.server.reload(running.file)) for _ in range(2))
    await tools.until(lambda: running.server._reading)
    await running.server.stop()
    for reloading in (first, second):
        with pytest.raises(ReloadRefused, match="the proxy ends"):
            await reloading
    assert reasons(events) == ["the proxy ends"] * 2


async def test_a_reload_after_the_stop_opens_nothing(running):
    await running.server.stop()
    with pytest.raises(ReloadRefused, match="the proxy ends"):
        await running.server.reload(running.file)
    assert not (running.file.parent / "admin.sock").exists()


async def test_a_request_under_way_is_answered_through_a_reload(running, tools):
    running.hss.answer = lambda message: None
    asked = asyncio.create_task(running.relayed())
    await tools.until(lambda: running.hss.got)
    running.write(SCSCF, ICSCF)
    await running.server.reload(running.file)
    running.hss.node.send(PROXY, running.hss.multimedia_auth(running.hss.got[0]))
    assert await asked == 2001


async def test_certificates_are_exchanged_without_dropping_peers(lab, tools):
    """New connections see the new certificate; the one that is open stays."""
    tls = lab.certificate("mc1", PROXY)
    secured = {"tls": True, "ca": lab.authority("mc2")}
    peers = [tools.peer("proxy1.mc2.lab", "ims.mc2.lab", "partner", system="mc2", **secured)]
    listeners = [{"address": "127.0.0.1", "port": 0, "tls": True}]
    proxy = await lab.proxy({**lab.tables("mc1", peers=peers, listeners=listeners), "tls": tls})
    theirs = lab.certificate("mc2", "proxy1.mc2.lab")
    port = tools.port_of(proxy)
    peers = [
        tools.peer(PROXY, REALM, "partner", system="mc1", tls=True, ca=lab.authority("mc1"), connect=True,
                   address="127.0.0.1", port=port)
    ]  # fmt: skip
    partner = await lab.proxy({**lab.tables("mc2", peers=peers), "tls": theirs})
    await tools.until(lambda: proxy.node.is_open("proxy1.mc2.lab"))
    before = await asyncio.to_thread(shown, port)
    lab.certificate("mc1", PROXY)
    config = proxy._config
    proxy.node.reload(config.node_config(), tls_identities(config.node_config()))
    after = await asyncio.to_thread(shown, port)
    assert before != after
    assert partner.node.peers[PROXY].connections_opened == 1
    assert proxy.node.is_open("proxy1.mc2.lab")


def shown(port):
    """Return the certificate that a listener shows."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=5)


async def test_the_admin_socket_shows_routes_and_what_is_under_way(running, tools):
    socket = running.file.parent / "admin.sock"
    routes = await asyncio.to_thread(ask, socket, "routes")
    row = next(row for row in routes if (row["source"], row["command"], row["owner"]) == ("cscf", "MAR", "own"))
    assert (row["decision"], row["peers"]) == ("to the HSS, unchanged", ["hss.mc1.lab"])
    running.hss.answer = lambda message: None
    asked = asyncio.create_task(running.relayed())
    await tools.until(lambda: running.hss.got)
    (one,) = await asyncio.to_thread(ask, socket, "pending")
    assert (one["command"], one["peer"], one["last"]) == ("MAR", "scscf.mc1.lab", "hss.mc1.lab")
    assert "bob" not in json.dumps(one)
    running.hss.node.send(PROXY, running.hss.multimedia_auth(running.hss.got[0]))
    assert await asked == 2001
    assert await asyncio.to_thread(ask, socket, "reload") == "done"


async def test_an_identity_is_followed_through_the_proxy(running, tools):
    socket = running.file.parent / "admin.sock"
    following = asyncio.create_task(asyncio.to_thread(lambda: list(follow(socket, BOB[0], 2.0))))
    await tools.until(lambda: running.server.proxy.tracer.is_active)
    assert await running.relayed() == 2001
    found = await following
    assert [event["event"] for event in found] == ["request", "sent", "answer"]
    assert (found[0]["of"], found[0]["command"], found[0]["owner"]) == ("scscf.mc1.lab", "MAR", "own")
    assert (found[1]["to"], found[2]["result"]) == ("hss.mc1.lab", "2001")
    await tools.until(lambda: not running.server.proxy.tracer.is_active)


async def test_a_stop_lets_what_is_under_way_end_and_takes_nothing_new(running, tools):
    """The answer comes before the DPR; a request that comes meanwhile is 3004, so that its sender goes elsewhere."""
    running.hss.answer = lambda message: None
    asked = asyncio.create_task(running.relayed())
    await tools.until(lambda: running.hss.got)
    stopping = asyncio.create_task(running.server.stop())
    await tools.until(lambda: running.server.proxy.is_draining)
    assert await running.relayed() == 3004
    assert not stopping.done()
    running.hss.node.send(PROXY, running.hss.multimedia_auth(running.hss.got[0]))
    assert await asked == 2001
    await stopping
    await tools.until(lambda: not running.scscf.node.is_open(PROXY))
