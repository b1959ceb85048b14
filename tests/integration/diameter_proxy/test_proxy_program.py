"""``diameter-proxy run`` as a process: ready line, metrics, admin socket, clean stop."""

import asyncio
import json
import signal
import sys
import urllib.request
from contextlib import asynccontextmanager, nullcontext

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.wire import PROXIABLE
from tests import unwritable
from tests.free_ports import free_port

REALM, PROXY = "ims.mc1.lab", "proxy1.mc1.lab"
FILE = """
[node]
origin_host = "proxy1.mc1.lab"
origin_realm = "ims.mc1.lab"
[[listeners]]
address = "127.0.0.1"
port = 0
[[peers]]
host = "scscf.mc1.lab"
realm = "ims.mc1.lab"
group = "cscf"
[[peers]]
host = "hss.mc1.lab"
realm = "ims.mc1.lab"
group = "hss"
connect = true
address = "127.0.0.1"
port = {hss}
[metrics]
listen = "127.0.0.1:{metrics}"
[admin]
socket = "admin.sock"
"""


FEED = '[feed]\nurl = "http://127.0.0.1:{port}"\n[hss]\nserver_name = "sip:scscf.mc1.lab:6060"\n'


async def start(file, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "diameter_proxy.cli", "run", "--config", str(file),
        stdout=stdout, stderr=stderr,
    )  # fmt: skip


@asynccontextmanager
async def started(file, opener=None, stream="stderr"):
    """Run the proxy as a process that does not outlive the block, with what ``opener`` opens as this stream of it."""
    with unwritable.opened(opener) if opener else nullcontext(asyncio.subprocess.PIPE) as descriptor:
        process = await start(file, **{stream: descriptor})
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stopped(process):
    """Return how it exits at SIGTERM."""
    process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(process.wait(), 60)


async def command(*arguments):
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "diameter_proxy.cli", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(run.communicate(), 60)
    return run.returncode, out.decode()


@pytest.fixture
async def program(lab, tmp_path, tools):
    hss = await lab.station("hss.mc1.lab", REALM, [PROXY])
    hss.answer = hss.multimedia_auth
    file, metrics = tmp_path / "proxy.toml", free_port()
    file.write_text(FILE.format(hss=tools.port_of(hss.node), metrics=metrics))
    async with started(file) as process:
        listening, ready = [json.loads(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in range(2)]
        assert listening == ready | {"event": "listening"}
        yield ready, process, file, metrics


async def test_a_process_relays_counts_and_stops_cleanly(program, lab):
    ready, process, file, metrics = program
    assert ready["event"] == "ready"
    port = int(ready["listen"][0].rpartition(":")[2])
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=port)
    await lab.open(cscf, PROXY)
    answer = await cscf.ask(PROXY, cscf.mar("a@" + REALM, "sip:a@" + REALM))
    assert answer.get(d.RESULT_CODE) == 2001
    text = await scraped(metrics)
    assert b'diameter_requests_total{command="MAR",peer="scscf.mc1.lab",source="cscf"} 1.0' in text
    assert b'diameter_answers_total{code="2001",command="MAR",peer="hss.mc1.lab"} 1.0' in text
    assert b'diameter_peer_open{group="hss",peer="hss.mc1.lab"} 1.0' in text
    code, out = await command("peers", "--json", "--config", str(file))
    assert code == 0
    told = json.loads(out)
    assert {row["host"]: row["is_open"] for row in told["peers"]} == {"scscf.mc1.lab": True, "hss.mc1.lab": True}
    assert told["map"]["bindings"] == 0
    file.write_text(file.read_text() + "[limits]\nparked = 5\n")
    process.send_signal(signal.SIGHUP)
    assert await command("reload", "--config", str(file)) == (0, "ok: reloaded\n")
    rows = (await command("routes", "--config", str(file)))[1].splitlines()
    assert rows[0] == "cscf     UAR  own       to the HSS, unchanged  -> hss.mc1.lab"
    assert rows[1] == "cscf     UAR  foreign   refused experimental 5001: identity neither ours nor lent"
    assert "mms      RTR  lent      to the S-CSCF named by Destination-Host  -> scscf.mc1.lab" in rows
    assert await command("pending", "--config", str(file)) == (0, "")
    asked = cscf.mar("a@" + REALM, "sip:a@" + REALM).hex()
    code, out = await command("explain", asked, "--config", str(file), "--peer", "scscf.mc1.lab")
    assert code == 0
    assert "decision:  to the HSS, unchanged\nrule" not in out
    assert "peers:     hss.mc1.lab\n" in out
    assert (await command("explain", "zz", "--config", str(file), "--peer", "scscf.mc1.lab"))[0] == 1
    assert (await command("explain", asked))[0] == 2
    assert await stopped(process) == 0
    events = [json.loads(line) for line in (await process.stderr.read()).decode().splitlines()]
    assert "peer.open" in {event["event"] for event in events}
    assert [event["event"] for event in events].count("config.reloaded") == 2
    assert not (file.parent / "admin.sock").exists()


async def scraped(metrics):
    """Return what the metrics listener of this port shows, in octets."""
    return await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics").read())


async def metric(metrics, name):
    """Return the value of a metric without labels."""
    (line,) = [line for line in (await scraped(metrics)).decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def awake_s(metrics):
    return await metric(metrics, "diameter_awake_seconds_total")


async def test_it_stays_awake_for_an_hss_that_is_near_until_a_reload_says_otherwise(program, lab):
    ready, _, file, metrics = program
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=int(ready["listen"][0].rpartition(":")[2]))
    await lab.open(cscf, PROXY)
    assert await awake_s(metrics) == 0.0

    async def ask():
        for _ in range(20):
            answer = await cscf.ask(PROXY, cscf.mar("a@" + REALM, "sip:a@" + REALM))
            assert answer.get(d.RESULT_CODE) == 2001

    file.write_text(file.read_text().replace("[node]", "[node]\nawake_us = 1000", 1))
    assert await command("reload", "--config", str(file)) == (0, "ok: reloaded\n")
    async with asyncio.timeout(60):
        while await awake_s(metrics) == 0.0:
            await ask()
    file.write_text(file.read_text().replace("awake_us = 1000", "awake_us = 0", 1))
    assert await command("reload", "--config", str(file)) == (0, "ok: reloaded\n")
    before_s = await awake_s(metrics)
    await ask()
    assert await awake_s(metrics) == before_s


@unwritable.EACH
async def test_a_log_that_cannot_be_written_costs_no_peer_and_no_answer(lab, tmp_path, tools, opener):
    """A disk that is full, a reader that has died: each line of a log once cost a connection."""
    hss = await lab.station("hss.mc1.lab", REALM, [PROXY])
    hss.answer = hss.multimedia_auth
    file, metrics = tmp_path / "proxy.toml", free_port()
    file.write_text(FILE.format(hss=tools.port_of(hss.node), metrics=metrics))
    async with started(file, opener, "stderr") as process:
        ready = [json.loads(await asyncio.wait_for(process.stdout.readline(), 60)) for _ in range(2)][1]
        cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=int(ready["listen"][0].rpartition(":")[2]))
        await lab.open(cscf, PROXY)
        asked = cscf.mar("a@" + REALM, "sip:a@" + REALM)
        not_proxiable = asked[:4] + bytes((asked[4] & ~PROXIABLE,)) + asked[5:]
        assert (await cscf.ask(PROXY, not_proxiable)).get(d.RESULT_CODE) == 3001  # which is logged
        answer = await cscf.ask(PROXY, cscf.mar("a@" + REALM, "sip:a@" + REALM))
        assert answer.get(d.RESULT_CODE) == 2001
        assert await metric(metrics, "diameter_log_lines_lost_total") >= 3  # two peers, one refusal
        assert await stopped(process) == 0


@unwritable.EACH
async def test_it_serves_where_nobody_can_be_told_that_it_does(lab, tmp_path, tools, opener):
    """``diameter-proxy run | head -1``: the second line once ended it."""
    hss = await lab.station("hss.mc1.lab", REALM, [PROXY])
    hss.answer = hss.multimedia_auth
    file, port = tmp_path / "proxy.toml", free_port()
    text = FILE.format(hss=tools.port_of(hss.node), metrics=free_port())
    file.write_text(text.replace("port = 0", f"port = {port}", 1))
    async with started(file, opener, "stdout") as process:
        cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=port)
        await lab.open(cscf, PROXY)
        answer = await cscf.ask(PROXY, cscf.mar("a@" + REALM, "sip:a@" + REALM))
        assert answer.get(d.RESULT_CODE) == 2001
        assert await stopped(process) == 0


async def test_a_stop_before_it_is_ready_is_no_traceback(tmp_path):
    """Neither the HSS nor the MMS is there."""
    file = tmp_path / "proxy.toml"
    text = FILE.format(hss=free_port(), metrics=free_port()).replace("[node]", '[node]\nsystem = "mc1"', 1)
    file.write_text(text + FEED.format(port=free_port()))
    async with started(file) as process:
        assert json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["event"] == "listening"
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out) == (0, b"")
    assert [json.loads(line)["event"] for line in err.decode().splitlines()]


@pytest.mark.parametrize("what", ["", "metrics: "], ids=["diameter", "metrics"])
async def test_an_address_that_is_taken_is_one_line_and_exit_1(program, tmp_path, what):
    ready, running, file, metrics = program
    port = metrics if what else ready["listen"][0].rpartition(":")[2]
    second = tmp_path / "second.toml"
    second.write_text(file.read_text() if what else file.read_text().replace("port = 0", f"port = {port}", 1))
    process = await start(second)
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    told = err.decode().splitlines()[-1]
    assert told.startswith(f"error: {what}127.0.0.1:{port}: Address already in use, by process {running.pid} (")
    assert told.endswith("): end that process, or configure another port")
