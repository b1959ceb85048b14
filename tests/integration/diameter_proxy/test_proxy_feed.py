"""The identity map follows the MMS: changes, reset, acknowledgement, look-up on a miss, age (DESIGN: identity map)."""

import asyncio
import time

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR
from diameter_proxy.routing import Source

REALM, PROXY = "ims.mc2.lab", "proxy1.mc2.lab"
SET = ("mig-p7@ims.mc2.lab", "sip:mig-p7@ims.mc2.lab")
OTHER_SET = ("mig-p8@ims.mc2.lab", "sip:mig-p8@ims.mc2.lab")
METRICS = {"listen": "127.0.0.1:0"}
PRIMARY = ("mig-h7@ims.mc1.lab", "sip:mig-h7@ims.mc1.lab")
BOB = ("001020000000001@ims.mc2.lab", "sip:bob@ims.mc2.lab")


async def test_changes_are_acknowledged_by_name_and_version(migration, tools):
    lab = await migration.start()
    await tools.until(lambda: {"proxy": lab.P2, "version": lab.feed2.version} in lab.feed2.acknowledged)
    lab.feed2.change("p1", enabled=False)
    await tools.until(lambda: {"proxy": lab.P2, "version": lab.feed2.version} in lab.feed2.acknowledged)


async def test_a_miss_in_the_lent_range_is_looked_up_once_and_the_request_goes_on(migration):
    lab = await migration.start()
    lab.feed2.lend("p7", "partner", "mc1", SET, PRIMARY, told=False)
    lab.feed1.lend("h7", "primary", "mc2", PRIMARY, ("c@ims.mc1.lab", "sip:c@ims.mc1.lab"))
    await lab.proxy1_in_step()
    lab.feed2.look_up_delay_s = 0.1
    answers = await asyncio.gather(*(lab.ask(lab.mar(*SET)) for _ in range(3)))
    assert {answer.get(d.RESULT_CODE) for answer in answers} == {2001}
    assert lab.feed2.looked_up == [SET[0]]


async def test_what_the_mms_does_not_know_is_5001_and_not_asked_for_again_at_once(migration):
    lab = await migration.start()
    for _ in range(3):
        assert (await lab.ask(lab.mar(*SET))).result() == (10415, 5001)
    assert lab.feed2.looked_up == [SET[0]]


async def test_the_feed_overrides_a_negative_entry(migration):
    lab = await migration.start()
    assert (await lab.ask(lab.mar(*SET))).result() == (10415, 5001)
    lab.feed2.lend("p7", "partner", "mc1", SET, PRIMARY)
    lab.feed1.lend("h7", "primary", "mc2", PRIMARY, ("c@ims.mc1.lab", "sip:c@ims.mc1.lab"))
    await lab.in_step()
    assert (await lab.ask(lab.mar(*SET))).get(d.RESULT_CODE) == 2001


async def test_a_look_up_over_its_budget_is_3002(migration, tools):
    lab = await migration.start(mc2={"budgets": {**tools.patient, "look_up_s": 0.3}})
    lab.feed2.look_up_delay_s = 60.0
    began = time.monotonic()
    assert (await lab.ask(lab.mar(*SET))).get(d.RESULT_CODE) == 3002
    assert time.monotonic() - began < 15


async def test_too_many_parked_requests_are_3004(migration):
    lab = await migration.start(mc2={"limits": {"parked": 2}})
    lab.feed2.look_up_delay_s = 0.5
    answers = await asyncio.gather(*(lab.ask(lab.mar(f"mig-x{n}@{REALM}", f"sip:mig-x{n}@{REALM}")) for n in range(5)))
    assert sorted(answer.result() for answer in answers) == [(0, 3004)] * 3 + [(10415, 5001)] * 2


async def test_no_hot_path_waits_while_a_look_up_is_under_way(migration, tools):
    lab = await migration.start(mc2={"budgets": {**tools.patient, "look_up_s": 2.0}})
    lab.hss2.answer = lab.hss2.multimedia_auth
    lab.feed2.look_up_delay_s = 60.0
    slow = asyncio.create_task(lab.ask(lab.mar(*SET)))
    await tools.until(lambda: lab.feed2.looked_up)
    assert (await lab.ask(lab.mar(*BOB))).get(d.RESULT_CODE) == 2001
    assert not slow.done()
    assert (await slow).get(d.RESULT_CODE) == 3002


async def test_an_old_map_refuses_lent_identities_and_relays_own_users(migration, tools, events):
    lab = await migration.start(mc2={"limits": {"max_map_age_s": 1.0}})
    lab.hss2.answer = lab.hss2.multimedia_auth
    lab.feed2.is_down = True
    lab.feed2.wake()
    await tools.until(lambda: any(event["event"] == "feed.interrupted" for event in events))
    await tools.until(lambda: lab.proxy2.proxy.identities.age_s(time.monotonic()) > 1.0)
    for asked in (lab.mar(), lab.scscf.uar(*lab.PARTNER_SET[:2])):
        answer = await lab.ask(asked)
        assert answer.get(d.RESULT_CODE) == 3002
        assert answer.header.is_error
    assert (await lab.ask(lab.mar(*BOB))).get(d.RESULT_CODE) == 2001
    lab.feed2.is_down = False
    await tools.until(lambda: any(event["event"] == "feed.resumed" for event in events))
    assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 2001


async def test_a_reset_builds_the_map_anew(migration, tools):
    lab = await migration.start()
    del lab.feed2.entries["p1"]
    lab.feed2.lend("p7", "partner", "mc1", SET, PRIMARY)
    lab.feed2.resets = True
    await tools.until(lambda: set(lab.proxy2.proxy.identities.bindings) == {"p7"})
    assert (await lab.ask(lab.mar())).result() == (10415, 5001)


async def test_a_large_map_is_read_in_pages(migration, tools):
    lab = await migration.start()
    for number in range(2500):
        name = f"mig-n{number}@{REALM}"
        lab.feed2.lend(f"n{number}", "partner", "mc1", (name, "sip:" + name), PRIMARY)
    await tools.until(lambda: len(lab.proxy2.proxy.identities.bindings) == 2501)


@pytest.mark.parametrize("page", [b"{", b"[]", b'{"entries": 1}'])
async def test_a_page_that_is_none_only_ages_the_map(migration, tools, events, page):
    lab = await migration.start()

    async def broken(after, wait_s, limit):
        return page

    kept, lab.feed2.page = lab.feed2.page, broken
    lab.feed2.wake()
    await tools.until(lambda: any(event["event"] == "feed.interrupted" for event in events))
    assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 2001
    lab.feed2.page = kept


async def test_without_a_csc_y_connection_it_is_3002_at_once(migration, tools):
    lab = await migration.start()
    await lab.proxy1.node.stop(deadline_s=0.2)
    await tools.until(lambda: not lab.proxy2.node.is_open(lab.P1))
    began = time.monotonic()
    assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 3002
    assert time.monotonic() - began < 15
    assert lab.hss.requests(MAR) == []


async def start_without_mms(lab, tools, feed_table):
    """Start the proxy of mc2 while its MMS answers 503: an HSS behind it, an S-CSCF before it."""
    feed, port = await lab.feed("mc2", REALM)
    feed.is_down = True
    hss = await lab.station("hss.mc2.lab", REALM, [PROXY])
    hss.answer = hss.multimedia_auth
    peers = [
        tools.peer("scscf.mc2.lab", REALM, "cscf"),
        tools.peer("hss.mc2.lab", REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(hss.node)),
    ]
    proxy = await lab.proxy(lab.tables("mc2", peers=peers, feed_port=port, feed=feed_table))
    scscf = await lab.station("scscf.mc2.lab", REALM, [PROXY], port=tools.port_of(proxy))
    await lab.open(scscf, PROXY)
    await tools.until(lambda: proxy.node.is_open("hss.mc2.lab"))
    return feed, hss, proxy, scscf


async def test_a_proxy_that_starts_without_its_mms_keeps_lent_identities_from_the_hss(lab, tools, tmp_path):
    """3002, also for what only looks lent, until the first page has come; the range is that of the last run."""
    state = tmp_path / "lent-range.json"
    feed, hss, proxy, scscf = await start_without_mms(lab, tools, {"lent_prefix": "mig-", "state": str(state)})
    for asked in (scscf.mar(*SET), scscf.mar("MIG-%78@" + REALM, "sip:MIG-%78@" + REALM), scscf.uar(*SET)):
        assert (await scscf.ask(PROXY, asked)).result() == (0, 3002)
    assert hss.got == []
    assert (await scscf.ask(PROXY, scscf.mar(*BOB))).get(d.RESULT_CODE) == 2001
    assert not await proxy.wait_for_own_system(0.05), "ready before there is a map"
    feed.is_down = False
    assert await proxy.wait_for_own_system(10)
    assert state.exists() and proxy.proxy.identities.age_s(0) is not None
    assert (await scscf.ask(PROXY, scscf.mar(*SET))).result() == (10415, 5001)


async def test_the_range_of_the_last_run_is_known_at_the_start(lab, tools, tmp_path):
    state = tmp_path / "lent-range.json"
    state.write_text('{"lent_range": {"domain": "ims.mc2.lab", "prefix": "m-"}}')
    _, hss, _, scscf = await start_without_mms(lab, tools, {"lent_prefix": "mig-", "state": str(state)})
    asked = scscf.mar("m-1@" + REALM, "sip:m-1@" + REALM)
    assert (await scscf.ask(PROXY, asked)).result() == (0, 3002)
    assert hss.got == []


async def test_the_next_mms_is_followed_when_one_fails(lab, tools, events):
    """Two instances over one database: one feed version, changes and look-ups go on, the proxy acknowledges once."""
    feed, _ = await lab.feed("mc2", REALM)
    first, second = tools.instance(feed), tools.instance(feed)
    ports = [await lab.serve_feed("mc2", instance, feed.wake) for instance in (first, second)]
    urls = [f"https://localhost:{port}" for port in ports]
    peers = [tools.peer("scscf.mc2.lab", REALM, "cscf")]
    tables = lab.tables("mc2", peers=peers, feed_port=ports[0], feed={"alternates": urls[1:]}, metrics=METRICS)
    proxy = await lab.proxy(tables)
    feed.lend("p1", "partner", "mc1", SET, PRIMARY)
    await tools.until(lambda: feed.acknowledged[-1:] == [{"proxy": PROXY, "version": feed.version}])
    assert second.asked == []
    first.is_down = True
    feed.lend("p2", "partner", "mc1", OTHER_SET, PRIMARY)
    await tools.until(lambda: feed.acknowledged[-1:] == [{"proxy": PROXY, "version": feed.version}])
    await tools.until(lambda: proxy._feed.status.acknowledged == feed.version and not proxy._feed.status.is_failing)
    assert set(proxy.proxy.identities.bindings) == {"p1", "p2"}
    assert not any(event["event"] == "feed.reset" for event in events)
    text = await scrape(proxy.metrics_port)
    assert f'diameter_feed_followed{{mms="{urls[1]}/feed/v1"}} 1.0' in text
    assert f'diameter_feed_failures_total{{mms="{urls[0]}/feed/v1"}} 1.0' in text
    assert "diameter_feed_up 1.0" in text
    proxy.proxy.look_ups.park(b"mig-x@" + REALM.encode(), Source.CSCF, ("scscf.mc2.lab", b"", 0.0), 0.0)
    proxy._look_up(b"mig-x@" + REALM.encode())
    await tools.until(lambda: feed.looked_up == ["mig-x@" + REALM])


async def test_a_lost_feed_shows_in_the_metrics(lab, tools):
    feed, port = await lab.feed("mc2", REALM)
    peers = [tools.peer("scscf.mc2.lab", REALM, "cscf")]
    proxy = await lab.proxy(lab.tables("mc2", peers=peers, feed_port=port, metrics=METRICS))
    await tools.until(lambda: proxy._feed.status.succeeded_at is not None)
    before = values(await scrape(proxy.metrics_port))
    feed.is_down = True
    feed.wake()
    await tools.until(lambda: proxy._feed.status.is_failing)
    after = values(await scrape(proxy.metrics_port))
    assert (before["diameter_feed_up"], after["diameter_feed_up"]) == (1, 0)
    name = "diameter_feed_last_success_timestamp_seconds"
    assert time.time() - 60 < before[name] <= after[name] <= time.time()
    assert after["diameter_identity_map_age_seconds"] > 0
    assert after[f'diameter_feed_failures_total{{mms="https://localhost:{port}/feed/v1"}}'] >= 1


async def scrape(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return text


def values(text):
    """Return each sample of a scrape by its name and labels."""
    lines = [line for line in text.splitlines() if line.startswith("diameter_")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
