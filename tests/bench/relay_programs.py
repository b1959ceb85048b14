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

import trustme

LISTEN_PORT: Final = 3868
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
    secured: bool = False


def byte_forwarder(diabench: Path) -> Relay:
    """Return octets in, octets out: what a process in user space cannot beat."""
    return Relay("byte forwarder", [Program([str(diabench), "splice", "-p", str(LISTEN_PORT), "-P", str(HSS_PORT)])])


@dataclass(frozen=True)
class Credentials:
    """Files of a relay and of the responder behind it, of one authority."""

    authority: Path
    relay: Path
    relay_key: Path
    hss: Path
    hss_key: Path


def make_credentials(folder: Path) -> Credentials:
    """Make an authority and the certificates of both ends."""
    authority = trustme.CA()
    made = Credentials(*(folder / f"{name}.pem" for name in ("ca", "relay", "relay-key", "hss", "hss-key")))
    authority.cert_pem.write_to_path(str(made.authority))
    for host, certificate, key in (
        ("relay.proxy.example.org", made.relay, made.relay_key),
        ("hss1.hss.example.org", made.hss, made.hss_key),
    ):
        leaf = authority.issue_cert(host)
        leaf.cert_chain_pems[0].write_to_path(str(certificate))
        leaf.private_key_pem.write_to_path(str(key))
    return made


def ours(folder: Path, feed_url: str, hot_path: str, credentials: Credentials | None) -> Relay:
    """Return our proxy in the partner's role, with the hot path ``plain`` or ``compiled``."""
    file = folder / "proxy.toml"
    file.write_text(_proxy_toml(feed_url, credentials))
    return Relay(_named(f"ours, {hot_path}", credentials), [_proxy(file, hot_path)], True, credentials is not None)


def _named(name: str, credentials: Credentials | None) -> str:
    return name if credentials is None else f"{name}, TLS"


def _proxy(file: Path, hot_path: str) -> Program:
    command = [sys.executable, "-m", "diameter_proxy.cli", "run", "--config", str(file), "--log-level", "warning"]
    return Program(command, {"MC_HOT_PATH": hot_path}, HERE.parent.parent)


def _proxy_toml(feed_url: str, credentials: Credentials | None) -> str:
    tls = allowed = ""
    if credentials is not None:
        tls = f'[tls]\ncertificate = "{credentials.relay}"\nprivate_key = "{credentials.relay_key}"\n'
        allowed = f'tls = true\nca = "{credentials.authority}"'
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
{allowed or "allow_plain = true"}
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
{tls}
{clients}"""


def free_diameter(folder: Path, credentials: Credentials | None) -> Relay:
    """Return freeDiameter as it relays."""
    if credentials is None:
        _certificate(folder)
    certificate = credentials.relay if credentials else folder / "cert.pem"
    key, authority = (
        (credentials.relay_key, credentials.authority) if credentials else (folder / "key.pem", certificate)
    )
    to_hss = "" if credentials else "No_TLS; "
    (folder / "acl.conf").write_text("ALLOW_IPSEC *.client.example.org\n")
    file = folder / "fd.conf"
    file.write_text(f"""
Identity = "relay.proxy.example.org";
Realm = "proxy.example.org";
Port = {LISTEN_PORT};
SecPort = 0;
No_SCTP;
TLS_Cred = "{certificate}", "{key}";
TLS_CA = "{authority}";
TcTimer = 5;
AppServThreads = 4;
LoadExtension = "acl_wl.fdx" : "{folder}/acl.conf";
ConnectPeer = "hss1.hss.example.org" {{
    ConnectTo = "127.0.0.1"; Port = {HSS_PORT}; {to_hss}Realm = "hss.example.org";
}};
""")
    program = Program([_found("freeDiameterd"), "-c", str(file)], folder=folder)
    return Relay(_named("freeDiameter", credentials), [program], secured=credentials is not None)


def erlang(folder: Path) -> Relay:
    """Return the diameter application of Erlang/OTP as it relays; its TLS begins inside a CER only (RFC 3588)."""
    source = HERE / "peers" / "relay.erl"
    subprocess.run([_found("erlc"), "-o", str(folder), str(source)], check=True, cwd=folder)
    arguments = ["-noshell", "-noinput", "-pa", str(folder), "-run", "relay", "start"]
    where = [str(LISTEN_PORT), str(HSS_PORT)]
    program = Program([_found("erl"), *arguments, *where], {"HOME": str(folder)}, folder)
    return Relay("Erlang diameter", [program])


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
