"""The pre-flight check of an attached core: what must be so before a user migrates, each with its mend.

Pure: from what was tried (``lab.attach.trials``) to findings.  It judges no registration; the capture does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

CX: Final = (10415, 16777216)
_SUCCESS: Final = 2001
_MENDS: Final = {
    3010: "enter this name among the HSS's Diameter peers",
    5010: "the HSS must have Cx (16777216, vendor 10415) among its applications",
    5017: "the HSS wants security that we did not offer: plain TCP is spoken on Cx",
}


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """One check: what was looked at, what came of it, and the mend."""

    what: str
    ok: bool
    detail: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    def line(self) -> str:
        """Return one line for people."""
        mend = f"; mend: {self.mend}" if self.mend and not self.ok else ""
        return f"{'ok  ' if self.ok else 'fail'}  {self.what}: {self.detail}{mend}"


def judge_reach(what: str, reason: str, mend: str) -> PreflightFinding:
    """Return whether something was reached; ``reason`` is why not."""
    return PreflightFinding(what, not reason, reason or "answers", mend)


def judge_capabilities(peer: str, cea: Mapping[str, Any]) -> PreflightFinding:
    """Return whether a CEA has Cx as a CSCF and our proxy need it (RFC 6733 §5.3.2, TS 29.229 §5)."""
    what = f"CER/CEA with {peer}"
    if reason := cea.get("reason"):
        return PreflightFinding(what, False, str(reason), "is it a Diameter server, and may we connect?")
    result, origin = cea.get("result"), cea.get("origin_host")
    if result != _SUCCESS:
        return PreflightFinding(what, False, f"Result-Code {result}", _MENDS.get(int(result or 0), "see its log"))
    if origin != peer:
        mend = f'core.hss.host = "{origin}"'
        return PreflightFinding(what, False, f"it says that it is {origin}", mend)
    applications = [tuple(one) for one in cea.get("applications", ())]
    if CX not in applications:
        mend = "it must advertise Vendor-Specific-Application-Id {10415, 16777216}"
        return PreflightFinding(what, False, f"no Cx among {applications}", mend)
    return PreflightFinding(what, True, "2001, Cx")


def judge_name(name: str, wanted: str, found: Iterable[str]) -> PreflightFinding:
    """Return whether DNS, where it knows a name, has the address of the file."""
    known = sorted(found)
    what = f"DNS {name}"
    if not known:
        return PreflightFinding(what, True, f"not in this machine's DNS; {wanted} of the file is used")
    if wanted in known:
        return PreflightFinding(what, True, wanted)
    return PreflightFinding(what, False, f"{', '.join(known)}, the file has {wanted}", "correct one of the two")


def judge_certificate(host: str, names: Iterable[str]) -> PreflightFinding:
    """Return whether a host's certificate has its name in the SAN."""
    known = sorted(names)
    mend = "issue it with the host's name as a DNS name in the SAN"
    return PreflightFinding(f"certificate of {host}", host in known, f"SAN {', '.join(known) or 'empty'}", mend)


def judge_cscf(name: str, peers: Mapping[str, str]) -> PreflightFinding:
    """Return whether a CSCF is connected to our proxy."""
    state = peers.get(name, "unknown")
    mend = "its cdp.xml names our proxies as peers and routes (docs/plug-in.md, Kamailio)"
    return PreflightFinding(f"{name} at our proxies", state == "open", f"Diameter connection {state}", mend)
