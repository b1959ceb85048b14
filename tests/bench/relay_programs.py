"""The relays that are measured, each with its configuration: ours, freeDiameter, Erlang/OTP diameter, a byte forwarder.

All listen on ``LISTEN_PORT`` for client0..client63 and pass everything to the responder on ``HSS_PORT``.  Ours maps
both identities of each request and of each answer on top of that.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LISTEN_PORT: Final = 3868
MIDDLE_PORT: Final = 5868
HSS_PORT: Final = 3870
CLIENTS: Final = 64
HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Program:
    """One process of a relay."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = HERE


@dataclass(frozen=True)
class Relay:
    """What is measured: its processes from the HSS's side on, and whether it maps identities."""

    name: str
    programs: list[Program]
    maps: bool = False


def byte_forwarder(diabench: Path) -> Relay:
    """Return octets in, octets out: what a process in user space cannot beat."""
    return Relay("byte forwarder", [Program([str(diabench), "splice", "-p", str(LISTEN_PORT), "-P", str(HSS_PORT)])])


def ours(folder: Path, feed_url: str, hot_path: str) -> Relay:
    """Return our proxy in the partner's role, with the hot path ``plain`` or ``compiled``."""
    file = folder / "proxy.toml"
    file.write_text(_proxy_toml(feed_url))
    return Relay(f"ours, {hot_path}", [_proxy(file, hot_path)], maps=True)


def _proxy(file: Path, hot_path: str) -> Program:
    command = [sys.executable, "-m", "diameter_proxy.cli", "run", "--config", str(file), "--log-level", "warning"]
    return Program(command, {"MC_HOT_PATH": hot_path}, HERE.parent.parent)


def _proxy_toml(feed_url: str) -> str:
    clients = "".join(
        f'[[peers]]\nhost = "client{number}.client.example.org"\nrealm = "client.example.org"\ngroup = "cscf"\n'
        for number in range(CLIENTS)
    )
    return f"""
[node]
origin_host = "relay.proxy.example.org"
origin_realm = "proxy.example.org"
system = "partner"
ready_within_s = 0.1
[[listeners]]
address = "127.0.0.1"
port = {LISTEN_PORT}
[[peers]]
host = "hss1.hss.example.org"
realm = "hss.example.org"
group = "partner"
system = "primary"
allow_plain = true
connect = true
address = "127.0.0.1"
port = {HSS_PORT}
[[peers]]
host = "own-hss.hss.example.org"
realm = "hss.example.org"
group = "hss"
[feed]
url = "{feed_url}"
[hss]
server_name = "sip:scscf.proxy.example.org:6060"
{clients}"""


def free_diameter(folder: Path) -> Relay:
    """Return freeDiameter as it relays."""
    _certificate(folder)
    (folder / "acl.conf").write_text("ALLOW_IPSEC *.client.example.org\n")
    file = folder / "fd.conf"
    file.write_text(f"""
Identity = "relay.proxy.example.org";
Realm = "proxy.example.org";
Port = {LISTEN_PORT};
SecPort = 0;
No_SCTP;
TLS_Cred = "{folder}/cert.pem", "{folder}/key.pem";
TLS_CA = "{folder}/cert.pem";
TcTimer = 5;
AppServThreads = 4;
LoadExtension = "acl_wl.fdx" : "{folder}/acl.conf";
ConnectPeer = "hss1.hss.example.org" {{
    ConnectTo = "127.0.0.1"; Port = {HSS_PORT}; No_TLS; Realm = "hss.example.org";
}};
""")
    return Relay("freeDiameter", [Program([_found("freeDiameterd"), "-c", str(file)], folder=folder)])


def erlang(folder: Path) -> Relay:
    """Return the diameter application of Erlang/OTP as it relays."""
    source = HERE / "peers" / "relay.erl"
    subprocess.run([_found("erlc"), "-o", str(folder), str(source)], check=True, cwd=folder)
    arguments = ["-noshell", "-noinput", "-pa", str(folder), "-run", "relay", "start"]
    where = [str(LISTEN_PORT), str(HSS_PORT)]
    return Relay("Erlang diameter", [Program([_found("erl"), *arguments, *where], {"HOME": str(folder)}, folder)])


def _certificate(folder: Path) -> None:
    """Make what freeDiameter wants to see even where it uses no TLS."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out"]
    subject = ["cert.pem", "-subj", "/CN=relay.proxy.example.org"]
    subprocess.run(command + subject, check=True, cwd=folder, capture_output=True)


def _found(program: str) -> str:
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if path is None:
        sys.exit(f"error: {program} is missing: packaging/set-up.sh judges")
    return path
