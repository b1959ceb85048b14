"""The pre-flight check carried out in a lab that is up: our programs run, the core is elsewhere."""

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from lab.attach.preflight import (
    PreflightFinding,
    judge_capabilities,
    judge_certificate,
    judge_cscf,
    judge_name,
    judge_reach,
)
from lab.render.core import DIAMETER_PORT
from lab.render.files import CERTIFICATE
from lab.render.kamailio import PORTS
from lab.render.migration import METRICS
from lab.scenarios.errands import errand

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

TRIALS: Final = "lab.attach.trials"
CSCFS_S: Final = 15.0
"""For so long we wait for the CSCFs: Kamailio comes again after its Tc."""
SPARE: Final = "proxy2"
WITH_CERTIFICATES: Final = ("proxy1", "proxy2", "mms", "cms", "idms")


async def preflight(lab: "Lab", system: str, ue: str) -> list[PreflightFinding]:
    """Return what was found, in the order in which a registration needs it.

    Raises:
        ProgramFailure: one of our own programs does not do its part.
    """
    return [
        *(await names(lab, system)),
        *certificates(lab, system),
        await _p_cscf(lab, system, ue),
        *(await _hss(lab, system)),
        *(await _cscfs(lab, system)),
    ]


async def names(lab: "Lab", system: str) -> list[PreflightFinding]:
    """Return whether this machine's DNS, where it knows the core's hosts, agrees with the file."""
    hosts = [lab.topology.host(system, role) for role in lab.topology.systems[system].elsewhere]
    found = await asyncio.gather(*(asyncio.to_thread(_look_up, host.name) for host in hosts))
    return [judge_name(host.name, str(host.address), known) for host, known in zip(hosts, found, strict=True)]


def certificates(lab: "Lab", system: str) -> list[PreflightFinding]:
    """Return whether the certificate of each host of ours in the core's network has the host's name."""
    findings = []
    for role in WITH_CERTIFICATES:
        host = lab.topology.host(system, role)
        leaf = x509.load_pem_x509_certificate((lab.files.etc(host.key) / CERTIFICATE).read_bytes())
        shown = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        findings.append(judge_certificate(host.name, shown.get_values_for_type(x509.DNSName)))
    return findings


async def _p_cscf(lab: "Lab", system: str, ue: str) -> PreflightFinding:
    await lab.runtime.move(ue, system)
    address = str(lab.topology.address(system, "pcscf"))
    domain = lab.topology.systems[system].home_domain
    tried = await _try(lab, ue, {"trial": "options", "address": address, "port": PORTS["pcscf"], "domain": domain})
    await lab.runtime.move(ue, lab.topology.home_of(ue))
    mend = "is the uplink in that network, and does the P-CSCF listen there on UDP?"
    return judge_reach(f"P-CSCF {address}:{PORTS['pcscf']}", str(tried.get("reason", "")), mend)


async def _hss(lab: "Lab", system: str) -> list[PreflightFinding]:
    """Say CER as our second proxy would, which is away meanwhile: an HSS takes one connection from a name."""
    spare, hss = f"{SPARE}.{system}", lab.topology.host(system, "hss")
    await lab.process(spare).stop()
    task = {
        "trial": "capabilities",
        "address": str(hss.address),
        "port": DIAMETER_PORT,
        "origin_host": lab.topology.host(system, SPARE).name,
        "origin_realm": lab.topology.systems[system].home_domain,
    }
    cea = await _try(lab, spare, task)
    await lab.restart(spare)
    return [judge_capabilities(hss.name, cea)]


async def _cscfs(lab: "Lab", system: str) -> list[PreflightFinding]:
    wanted = [lab.topology.host(system, role).name for role in ("icscf", "scscf")]
    task = {"trial": "peers", "metrics": METRICS, "wanted": wanted, "within_s": CSCFS_S}
    states = (await _try(lab, f"proxy1.{system}", task, CSCFS_S)).get("peers", {})
    return [judge_cscf(name, states) for name in wanted]


def _look_up(name: str) -> set[str]:
    """Return the IPv4 addresses that this machine's resolver has for a name."""
    try:
        return {str(row[4][0]) for row in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)}
    except OSError:
        return set()


async def _try(lab: "Lab", host: str, task: dict[str, Any], more_s: float = 0.0) -> dict[str, Any]:
    return await errand(lab, host, TRIALS, task, 10.0 + more_s)
