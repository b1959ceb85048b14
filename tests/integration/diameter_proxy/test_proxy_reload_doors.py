"""[metrics], [admin] and [feed] come, move and go with a reload; no peer notices (D.4)."""

import asyncio
import socket
import ssl
import threading
import urllib.request

import pytest

from diameter_proxy.admin import AdminError, ask
from diameter_proxy.diameter.commands import MAR
from diameter_proxy.node.errors import ReloadRefused
from tests.integration.diameter_proxy.reloadable import ADMIN, LISTENER, PROXY, REALM, SCSCF, Running

LENT = ("mig-p1@ims.mc1.lab", "sip:mig-p1@ims.mc1.lab")
OTHER = ("mig-p2@ims.mc1.lab", "sip:mig-p2@ims.mc1.lab")
ABROAD = ("mig-h1@ims.mc2.lab", "sip:mig-h1@ims.mc2.lab")
PARTNER = (
    '[[peers]]\nhost = "proxy1.mc2.lab"\nrealm = "ims.mc2.lab"\ngroup = "partner"\nsystem = "mc2"\nallow_plain = true\n'
)


@pytest.fixture
async def running(lab, tools, tmp_path):
    running = await Running(lab, tools, tmp_path).start()
    yield running
    assert await running.relayed() == 2001
    assert (running.opened("scscf.mc1.lab"), running.opened("hss.mc1.lab")) == (1, 1), "no peer was dropped"


async def reload(running, *more, admin=ADMIN, rows=(SCSCF,)):
    running.write(*rows, listener=LISTENER + "".join(more), admin=admin)
    await running.server.reload(running.file)


def metrics(address, port):
    return f'[metrics]\nlisten = "{address}:{port}"\n'


async def scraped(address, port):
    """Return what Prometheus would get."""

    def get():
        with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=5) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(get)


async def test_metrics_come_move_and_go(running):
    await reload(running, metrics("127.0.0.1", 0))
    port = running.server.metrics_port
    assert 'diameter_peer_open{group="hss",peer="hss.mc1.lab"} 1.0' in await scraped("127.0.0.1", port)
    await reload(running, metrics("127.0.0.2", port))
    assert "diameter_pending" in await scraped("127.0.0.2", port)
    with pytest.raises(OSError, match="refused"):
        await scraped("127.0.0.1", port)
    await reload(running)
    assert running.server.metrics_port is None
    with pytest.raises(OSError, match="refused"):
        await scraped("127.0.0.2", port)


async def test_an_address_that_somebody_else_has_is_refused_and_all_stays(running):
    """Also the port that we had to close first, and the peer that the same file would have let in."""
    await reload(running, metrics("127.0.0.1", 0))
    port = running.server.metrics_port
    await reload(running, metrics("127.0.0.1", port))
    refused = pytest.raises(ReloadRefused, match=rf"metrics: .*127\.0\.0\.2:{port}")
    with socket.create_server(("127.0.0.2", port)), refused:
        await reload(running, metrics("127.0.0.2", port), rows=(SCSCF, PARTNER), admin="")
    assert "diameter_pending" in await scraped("127.0.0.1", port)
    assert "proxy1.mc2.lab" not in running.server.node.peers
    assert await asyncio.to_thread(ask, running.file.parent / "admin.sock", "map")


@pytest.mark.parametrize("address", ["x" * 70, "a..b"])
async def test_a_door_that_was_closed_first_is_open_again_after_an_error_of_any_kind(running, address):
    """Such a name is a UnicodeError to Python, not an OSError."""
    await reload(running, metrics("127.0.0.1", 0))
    port = running.server.metrics_port
    await reload(running, metrics("127.0.0.1", port))
    with pytest.raises(ReloadRefused):
        await reload(running, metrics(address, port))
    assert "diameter_pending" in await scraped("127.0.0.1", port)


async def test_a_door_that_had_changed_goes_back_when_the_rest_is_refused(running):
    await reload(running, metrics("127.0.0.1", 0))
    port = running.server.metrics_port
    await reload(running, metrics("127.0.0.1", port))
    with pytest.raises(ReloadRefused, match="listeners: a change takes a restart"):
        await reload(running, LISTENER)
    assert "diameter_pending" in await scraped("127.0.0.1", port)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(running.file.parent / "taken.sock"))
        other.listen()
        with pytest.raises(ReloadRefused, match=r"admin\.socket: .*/taken\.sock: Address already in use"):
            await reload(running, admin='[admin]\nsocket = "taken.sock"\n')
    assert "diameter_pending" in await scraped("127.0.0.1", port)


async def test_who_moves_the_admin_socket_is_answered_over_the_old_one(running):
    old, new = running.file.parent / "admin.sock", running.file.parent / "other.sock"
    running.write(SCSCF, admin='[admin]\nsocket = "other.sock"\n')
    assert await asyncio.to_thread(ask, old, "reload") == "done"
    assert not old.exists()
    assert (await asyncio.to_thread(ask, new, "map"))["pending"] == 0
    running.write(SCSCF, admin="")
    assert await asyncio.to_thread(ask, new, "reload") == "done"
    with pytest.raises(AdminError, match="No such file"):
        await asyncio.to_thread(ask, new, "map")


class Followed:
    """A proxy that is reloaded with one feed or another."""

    def __init__(self, running, lab):
        self.running, self.lab = running, lab
        self.server = running.server

    def feed_table(self, port, *alternates, wait_s=5):
        """Return [tls], [feed] and [hss] of the file."""
        tls = self.lab.certificate("mc1", PROXY)
        others = ", ".join(f'"https://localhost:{other}"' for other in alternates)
        return (
            f'[tls]\ncertificate = "{tls["certificate"]}"\nprivate_key = "{tls["private_key"]}"\n'
            f'[feed]\nurl = "https://localhost:{port}"\nca = "{self.lab.authority("mc1")}"\nwait_s = {wait_s}\n'
            f'alternates = [{others}]\nretry_max_s = 0.2\n[hss]\nserver_name = "sip:scscf.mc1.lab:6060"\n'
        )

    async def reload(self, *tables):
        await reload(self.running, *tables, rows=(SCSCF, PARTNER))

    async def asked(self, identities):
        """Return what a MAR of the S-CSCF is answered."""
        return (await self.running.scscf.ask(PROXY, self.running.scscf.mar(*identities))).result()

    @property
    def bindings(self):
        return sorted(self.server.proxy.identities.bindings)


@pytest.fixture
async def followed(running, lab):
    return Followed(running, lab)


@pytest.fixture
async def mms(lab):
    """An MMS that has lent one set, and its port."""
    feed, port = await lab.feed("mc1", REALM)
    feed.lend("p1", "partner", "mc2", LENT, ABROAD)
    return feed, port


async def test_a_relay_gets_a_feed_and_knows_lent_identities_from_then_on(followed, mms, tools):
    """3002: no peer of the partner is open."""
    assert await followed.asked(LENT) == (0, 2001), "a plain relay knows no lent identity"
    await followed.reload(followed.feed_table(mms[1]))
    await tools.until(lambda: followed.bindings == ["p1"])
    assert await followed.asked(LENT) == (0, 3002)
    assert len(followed.running.hss.requests(MAR)) == 1


async def test_a_feed_goes_and_nothing_is_lent_any_more(followed, mms):
    await followed.reload(followed.feed_table(mms[1]))
    await followed.reload()
    assert followed.bindings == []
    assert followed.server.proxy.identities.age_s(0) is None
    assert await followed.asked(LENT) == (0, 2001)


async def test_another_mms_is_read_anew_and_the_old_map_holds_until_then(followed, lab, mms, tools):
    await followed.reload(followed.feed_table(mms[1]))
    await tools.until(lambda: followed.bindings == ["p1"])
    other, port = await lab.feed("mc1", REALM)
    other.lend("p2", "partner", "mc2", OTHER, ABROAD)
    other.is_down = True
    await followed.reload(followed.feed_table(port))
    assert followed.bindings == ["p1"]
    assert await followed.asked(LENT) == (0, 3002)
    other.is_down = False
    await tools.until(lambda: followed.bindings == ["p2"])
    await tools.until(lambda: {"proxy": PROXY, "version": other.version} in other.acknowledged)


async def test_one_more_instance_goes_on_from_the_version_that_is_here(followed, lab, mms, tools, events):
    feed, port = mms
    await followed.reload(followed.feed_table(port))
    await tools.until(lambda: followed.bindings == ["p1"])
    instance = tools.instance(feed)
    further = await lab.serve_feed("mc1", instance, feed.wake)
    await followed.reload(followed.feed_table(further, port))
    feed.lend("p2", "partner", "mc2", OTHER, ABROAD)
    await tools.until(lambda: followed.bindings == ["p1", "p2"])
    told = {"/feed/v1/acknowledgement", "/feed/v1/uses"}  # soon after the change is in the map
    await tools.until(lambda: told <= set(instance.asked))
    assert set(instance.asked) == {"/feed/v1/changes", *told}
    assert len([event for event in events if event["event"] == "feed.loaded"]) == 1


async def test_a_ca_on_a_disk_that_hangs_holds_up_no_request(followed, mms, monkeypatch):
    """A reload reads the feed's files beside the event loop, as it reads all others."""
    read, hangs, goes_on = ssl.create_default_context, threading.Event(), threading.Event()

    def read_at_last(*purpose, cafile=None):
        hangs.set()
        assert goes_on.wait(10), "nothing else went on meanwhile"
        return read(*purpose, cafile=cafile)

    monkeypatch.setattr(ssl, "create_default_context", read_at_last)
    reloading = asyncio.create_task(followed.reload(followed.feed_table(mms[1])))
    await asyncio.to_thread(hangs.wait, 10)
    assert await followed.running.relayed() == 2001
    assert not reloading.done()
    goes_on.set()
    await reloading
    assert followed.server._feed is not None


async def test_a_renewed_certificate_is_shown_to_the_mms_too(followed, mms, tools):
    """The file is the same, what lies behind it is not: a feed that goes on with the old one ends when that ends."""
    feed, port = mms
    table = followed.feed_table(port)
    await followed.reload(table)
    before = followed.server._feed
    await followed.reload(table)
    assert followed.server._feed is before, "nothing has changed"
    followed.lab.certificate("mc1", PROXY)
    await followed.reload(table)
    assert followed.server._feed is not before
    feed.lend("p2", "partner", "mc2", OTHER, ABROAD)
    await tools.until(lambda: followed.bindings == ["p1", "p2"])


async def test_a_request_that_waits_for_a_look_up_is_answered_by_the_next_feed(followed, mms, tools):
    feed, port = mms
    await followed.reload(followed.feed_table(port))
    await tools.until(lambda: followed.bindings == ["p1"])
    feed.lend("p2", "partner", "mc2", OTHER, ABROAD, told=False)
    feed.look_up_delay_s = 20.0
    asked = asyncio.create_task(followed.asked(OTHER))
    await tools.until(lambda: feed.looked_up)
    feed.look_up_delay_s = 0.0
    await followed.reload(followed.feed_table(port, wait_s=1))
    assert await asked == (0, 3002), "known, and no peer of the partner is open"
    assert "p2" in followed.bindings


async def test_what_the_mms_was_not_told_is_told_by_the_next_feed(followed, mms, tools):
    feed, port = mms
    await followed.reload(followed.feed_table(port))
    feed.is_down = True
    followed.server._used("p9")
    followed.server._home_deregistration(b"u@ims.mc1.lab", ())
    await tools.until(lambda: followed.server._feed.uses._is_failing)
    await followed.reload(followed.feed_table(port, wait_s=1))
    feed.is_down = False
    await tools.until(lambda: any("p9" in report["bindings"] for report in feed.uses))
    await tools.until(lambda: [event["private_user_identity"] for event in feed.events] == ["u@ims.mc1.lab"])


async def test_a_feed_that_cannot_be_used_is_refused_and_the_old_one_goes_on(followed, mms, tmp_path, tools):
    feed, port = mms
    await followed.reload(followed.feed_table(port))
    (tmp_path / "mc1-ca.pem").rename(tmp_path / "kept.pem")
    (tmp_path / "mc1-ca.pem").write_text("no certificate")
    with pytest.raises(ReloadRefused, match=r"feed\.ca: .*/mc1-ca\.pem holds no certificate"):
        await followed.reload(followed.feed_table(port, wait_s=1))
    (tmp_path / "kept.pem").rename(tmp_path / "mc1-ca.pem")
    feed.lend("p2", "partner", "mc2", OTHER, ABROAD)
    await tools.until(lambda: followed.bindings == ["p1", "p2"])


async def test_a_first_feed_of_a_refused_file_leaves_nothing(followed, mms):
    with pytest.raises(ReloadRefused, match="listeners"):
        await followed.reload(LISTENER, followed.feed_table(mms[1]))
    assert followed.bindings == []
    assert await followed.asked(LENT) == (0, 2001)
