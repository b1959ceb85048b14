"""Every file of a lab written from its topology, and the program of each host."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from lab.render import agents, core, migration
from lab.render.files import Files
from lab.render.kamailio import CscfValues, Endpoint, PartnerCore, Role, render_cscf
from lab.render.program import Program
from lab.render.tls import IdmsKey, SystemAuthority
from lab.render.toml import format_toml
from lab.topology import LAB_DOMAIN, PROXIES, Host, Topology

CSCFS: Final[tuple[Role, ...]] = ("pcscf", "icscf", "scscf")
PYTHON: Final = (sys.executable, "-P")


def render_lab(topology: Topology, files: Files) -> tuple[Program, ...]:
    """Write every file of the lab and return the program of each host that has one."""
    for host in topology.hosts():
        files.etc(host.key).mkdir(parents=True, exist_ok=True)
        files.state(host.key).mkdir(parents=True, exist_ok=True)
    files.run.hosts_file.write_text(hosts_text(topology))
    _write_certificates(topology, files)
    _write_signing_keys(topology, files)
    programs = [_RENDER[host.role](topology, host, files) for host in topology.hosts() if host.role in _RENDER]
    _write(files.run.topology, topology.model_dump(exclude_none=True))
    return tuple(programs)


def hosts_text(topology: Topology) -> str:
    """Return the names of the lab as a hosts file: hosts, home domains (at the I-CSCF), UEs wherever they may be."""
    lines = ["127.0.0.1 localhost"]
    everywhere = (*topology.hosts(), *topology.hosts_elsewhere())
    lines += [f"{host.address} {' '.join(_names(topology, host))}" for host in everywhere if host.role != "ue"]
    lines += [f"{topology.address(name, 'icscf')} {system.home_domain}" for name, system in topology.systems.items()]
    for ue in topology.ues:
        lines += [f"{topology.ue_address(ue, system)} {ue}.{LAB_DOMAIN} {ue}" for system in _home_first(topology, ue)]
    return "\n".join(lines) + "\n"


def _names(topology: Topology, host: Host) -> tuple[str, ...]:
    """Return a host's names; a second instance has the first one's too: whoever asks by name tries both."""
    also = (topology.host(host.system, "mms").name,) if host.role == "mms2" else ()
    own = (host.lab_name,) if host.lab_name != host.name else ()
    return (host.name, *own, host.key, *also)


def _home_first(topology: Topology, ue: str) -> Iterable[str]:
    return sorted(topology.systems, key=lambda system: (system != topology.home_of(ue), system))


def _write_certificates(topology: Topology, files: Files) -> None:
    for system in topology.systems:
        authority = SystemAuthority(system, files.run.tls)
        for host in topology.hosts():
            if host.system == system and host.role in ("proxy1", "proxy2", "mms", "mms2", "cms", "idms", "edge", "dra"):
                names = [name for name in _names(topology, host) if name != host.key]
                authority.issue(*names, folder=files.etc(host.key))
        admin = files.etc(f"{migration.ADMIN}.{system}")
        admin.mkdir(exist_ok=True)
        authority.issue(migration.admin_name(system), folder=admin)


def _write_signing_keys(topology: Topology, files: Files) -> None:
    keys = {system: IdmsKey() for system in topology.systems}
    for system, key in keys.items():
        folder = files.etc(f"idms.{system}")
        folder.mkdir(parents=True, exist_ok=True)
        key.write(folder)
        for partner in topology.partners_of(system):
            keys[partner].write_public(core.partner_keys(folder, partner))


def _cscf(topology: Topology, host: Host, files: Files) -> Program:
    role: Role = next(role for role in CSCFS if role == host.role)
    settings = topology.systems[host.system]
    servers = PROXIES if settings.through_proxy else ("hss",)
    partners = topology.partners_of(host.system) if settings.terminating_sip else {}
    values = CscfValues(
        domain=settings.home_domain,
        realm=settings.home_domain,
        pcscf=_endpoint(topology, host.system, "pcscf"),
        icscf=_endpoint(topology, host.system, "icscf"),
        scscf=_endpoint(topology, host.system, "scscf"),
        proxies=tuple(_endpoint(topology, host.system, server) for server in servers),
        partners=tuple(
            PartnerCore(
                topology.systems[partner].home_domain,
                _endpoint(topology, partner, "icscf"),
                _endpoint(topology, partner, "scscf"),
            )
            for partner in partners
        ),
        mc_service=_endpoint(topology, host.system, "mcs") if settings.mc_service else None,
    )
    argv = render_cscf(role, values, files.etc(host.key))
    # Kamailio's Diameter stack tries again only after its timer: whom it connects to listens before it starts.
    needs = () if role == "pcscf" else _first(topology, host.system)
    return Program(host.key, tuple(argv), needs=needs, ready="log")


def _first(topology: Topology, system: str) -> tuple[str, ...]:
    """Return whom the core connects to, which takes a second: they get the processors before anybody else."""
    settings = topology.systems[system]
    servers = PROXIES if settings.through_proxy else ("hss",)
    return tuple(f"{server}.{system}" for server in servers if server not in settings.elsewhere)


def _endpoint(topology: Topology, system: str, role: str) -> Endpoint:
    host = topology.host(system, role)
    return Endpoint(host.name, str(host.address))


def _hss(topology: Topology, host: Host, files: Files) -> Program:
    file = _write(files.etc(host.key) / "hss.toml", core.hss_table(topology, host.system, files))
    return Program(host.key, (*PYTHON, "-m", "lab.systems.hss", "run", "--config", file))


def _idms(topology: Topology, host: Host, files: Files) -> Program:
    file = _write(files.etc(host.key) / "idms.toml", core.idms_table(topology, host.system, files))
    argv = (*PYTHON, "-m", "lab.systems.idms", "run", "--config", file)
    return Program(host.key, argv, needs=_first(topology, host.system))


def _mms(topology: Topology, host: Host, files: Files) -> Program:
    file = _write(files.etc(host.key) / "mms.toml", migration.mms_table(topology, host.system, files, host.role))
    program = (*PYTHON, "-m", "mmserver.cli", "migration")
    every = [files.etc(one.key) / "mms.toml" for one in topology.hosts() if one.role == "mms"]
    upgrade = (*program, "upgrade", *(word for one in every for word in ("--config", str(one))))
    return Program(host.key, (*program, "run", "--config", file), before=(upgrade,))


def _cms(topology: Topology, host: Host, files: Files) -> Program:
    file = _write(files.etc(host.key) / "cms.toml", migration.cms_table(topology, host.system, files))
    argv = (*PYTHON, "-m", "mmserver.cli", "configuration", "run", "--config", file)
    return Program(host.key, argv, needs=_first(topology, host.system))


def _proxy(topology: Topology, host: Host, files: Files) -> Program:
    table = migration.proxy_table(topology, host.system, host.role, files)
    file = _write(files.etc(host.key) / "proxy.toml", table)
    return Program(host.key, (*PYTHON, "-m", "diameter_proxy.cli", "run", "--config", file))


def _agent(topology: Topology, host: Host, files: Files) -> Program:
    needs = agents.needs(topology, host)
    if topology.systems[host.system].agents == "freediameter":
        configuration = files.etc(host.key) / "freediameter.conf"
        for name, text in agents.free_diameter_files(topology, host, files).items():
            (files.etc(host.key) / name).write_text(text)
        argv = agents.free_diameter_argv(configuration)
        return Program(host.key, argv, needs=needs, ready="log", mark=agents.FREE_DIAMETER_READY)
    file = _write(files.etc(host.key) / "proxy.toml", agents.relay_table(topology, host, files))
    return Program(host.key, (*PYTHON, "-m", "diameter_proxy.cli", "run", "--config", file), needs=needs)


def _mcs(topology: Topology, host: Host, files: Files) -> Program:
    file = _write(files.etc(host.key) / "mcs.toml", core.mcs_table(topology, host.system, files))
    return Program(host.key, (*PYTHON, "-m", "lab.systems.mcservice", "run", "--config", file))


def _ue(topology: Topology, host: Host, files: Files) -> Program:
    file = _write(files.etc(host.key) / "ue.toml", core.ue_table(topology, host.key, files))
    argv = (*PYTHON, "-m", "ue_agent.cli", "run", "--config", file)
    return Program(host.key, argv, needs=_first(topology, host.system), commands=True)


def _write(file: Path, table: dict[str, Any]) -> str:
    file.touch(mode=0o600)
    file.write_text(format_toml(table))
    return str(file)


_RENDER: Final[dict[str, Callable[[Topology, Host, Files], Program]]] = {
    "pcscf": _cscf,
    "icscf": _cscf,
    "scscf": _cscf,
    "hss": _hss,
    "idms": _idms,
    "mms": _mms,
    "mms2": _mms,
    "cms": _cms,
    "proxy1": _proxy,
    "proxy2": _proxy,
    "edge": _agent,
    "dra": _agent,
    "mcs": _mcs,
    "ue": _ue,
}
