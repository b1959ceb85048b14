"""Foreign Diameter agents from Debian beside our proxy: freeDiameter (C) and Erlang/OTP diameter, and a tap between.

Without them (packaging/set-up.sh judges) these tests fail.  freeDiameter does not start on a host that has no address
but loopback's.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer
from tests.free_ports import free_port

HERE = Path(__file__).resolve().parent
AGENT, REALM = "agent.mc1.lab", "ims.mc1.lab"
START_S = 60.0


def found(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    assert path is not None, f"{program} is missing: run packaging/set-up.sh judges"
    return path


class Agent:
    """A foreign relay agent: whoever is configured connects to ``port``; it connects to ``downstream``."""

    def __init__(self, name, folder, *, host=AGENT, realm=REALM):
        self.name, self.folder, self.host, self.realm = name, folder, host, realm
        self.port, self.secured_port, self.downstream = free_port(), free_port(), free_port()
        self._process = None

    def start(self, command, environment=None):
        with (self.folder / "agent.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._command, self._environment = command, environment
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, f"{self.name} ended: {self.log}"
            assert time.monotonic() < deadline, f"{self.name} does not listen: {self.log}"
            time.sleep(0.05)

    def stop(self):
        """End it as an operator would, with SIGTERM."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def restart(self):
        """End it and start it again."""
        self.stop()
        self.start(self._command, self._environment)

    @property
    def log(self):
        return (self.folder / "agent.log").read_text(errors="replace")[-2000:]


def start_free_diameter(agent, *, connects_to, accepts, credentials=None, is_relay_secured=False):
    """Start freeDiameter: no dictionary of Cx, so that it relays what it does not know."""
    folder = agent.folder
    if credentials is None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={agent.host}",
             "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        credentials = (folder / "cert.pem", folder / "key.pem", folder / "cert.pem")
    certificate, key, *authorities = credentials
    trusted = "\n".join(f'TLS_CA = "{authority}";' for authority in authorities)
    listed = "\n".join(f"{'' if is_relay_secured else 'ALLOW_IPSEC '}{host}" for host in accepts)
    (folder / "acl.conf").write_text(listed + "\n")
    (folder / "fd.conf").write_text(f"""
Identity = "{agent.host}";
Realm = "{agent.realm}";
Port = {agent.port};
SecPort = {agent.secured_port};
No_SCTP;
No_IPv6;
ListenOn = "127.0.0.1";
TLS_Cred = "{certificate}", "{key}";
{trusted}
TcTimer = 1;
TwTimer = 6;
LoadExtension = "acl_wl.fdx" : "{folder}/acl.conf";
ConnectPeer = "{connects_to}" {{ ConnectTo = "127.0.0.1"; Port = {agent.downstream}; No_TLS; }};
""")
    agent.start([found("freeDiameterd"), "-c", str(folder / "fd.conf")])


def start_erlang(agent, **_):
    """Compile and start the relay of agent.erl."""
    subprocess.run([found("erlc"), "-o", str(agent.folder), str(HERE / "agent.erl")], check=True)
    arguments = ["-noshell", "-noinput", "-pa", str(agent.folder), "-run", "agent", "start"]
    values = [agent.host, agent.realm, str(agent.port), str(agent.downstream)]
    agent.start([found("erl"), *arguments, *values], {"HOME": str(agent.folder)})


START = {"freeDiameter": start_free_diameter, "Erlang diameter": start_erlang}


class Tap:
    """Passes octets between whoever connects and a port, and keeps the messages of both directions in order."""

    def __init__(self, target):
        self.target = target
        self.messages = []
        self._server = None
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        for one, other, direction in ((reader, far_writer, "there"), (far_reader, writer, "back")):
            task = asyncio.create_task(self._pass(one, other, direction))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader, writer, direction):
        frames = FrameBuffer()
        with contextlib.suppress(OSError):
            while octets := await reader.read(65536):
                self.messages += [(direction, message) for message in frames.receive_data(octets)]
                writer.write(octets)
        writer.close()

    def of(self, direction, code, *, is_request):
        """Return the messages of a command that went one way."""
        decoded = [Message.decode(octets) for way, octets in self.messages if way == direction]
        return [m for m in decoded if m.header.command_code == code and m.header.is_request is is_request]


def expert_warnings(folder, octets):
    """Return what tshark's experts say of messages, each in a TCP segment of its own."""
    records, sequence = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 17, 101)], 1
    for number, message in enumerate(octets):
        tcp = struct.pack(">HHIIBBHHH", 40000, 3868, sequence, 1, 5 << 4, 0x18, 65535, 0, 0) + message
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
        records.append(struct.pack("<IIII", number, 0, len(ip + tcp), len(ip + tcp)) + ip + tcp)
        sequence += len(message)
    file = folder / "exchange.pcap"
    file.write_bytes(b"".join(records))
    command = ["tshark", "-r", str(file), "-d", "tcp.port==3868,diameter", "-T", "fields"]
    command += ["-e", "diameter.cmd.code", "-e", "_ws.expert.message"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == len(octets) and all(line.split("\t")[0] for line in lines), "tshark read every message"
    return [line for line in lines if line.split("\t")[1:] not in ([], [""])]


class Foreign:
    """What tests take from here."""

    agent, host, realm, start, tap = Agent, AGENT, REALM, START, Tap
    start_free_diameter = staticmethod(start_free_diameter)
    expert_warnings = staticmethod(expert_warnings)


@pytest.fixture(scope="module")
def foreign():
    return Foreign
