"""What a judge must know that no capture shows: who has which address, what each ISIM holds, the configured modes.

Read from ``run.json``.  It names no key, vector or token.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.load.crowd import Crowd


class FactsMissing(Exception):
    """``run.json`` is missing, half written or of another form."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ServiceArea(_Fact):
    """Where a partner serves: a polygon of (longitude, latitude) in degrees, cells and tracking areas."""

    polygon: tuple[tuple[float, float], ...] = ()
    ecgi: tuple[str, ...] = ()
    ncgi: tuple[str, ...] = ()
    tracking_areas: tuple[str, ...] = ()

    def holds(self, location: Mapping[str, Any]) -> bool:
        """Tell whether a location of step 1 lies in the area; its border belongs to it."""
        point = location.get("coordinates")
        if isinstance(point, Mapping) and len(self.polygon) >= 3:
            from shapely import Point, Polygon  # heavy, and only for runs that name coordinates

            if Polygon(self.polygon).covers(Point(float(point["longitude"]), float(point["latitude"]))):
                return True
        return (
            location.get("ecgi") in self.ecgi
            or location.get("ncgi") in self.ncgi
            or location.get("tracking_area") in self.tracking_areas
        )


class SystemFacts(_Fact):
    """One MC system as it was configured."""

    name: str
    home_domain: str
    plmn: str = ""
    lent_prefix: str = "mig-"
    scscf: tuple[str, ...] = ()
    service_area: ServiceArea = ServiceArea()
    allocation: Annotated[
        Literal["random", "pool", "sip-database", "default"],
        Field(description="How the primary migration set is chosen."),
    ] = "random"
    hss_identities: Annotated[
        Literal["lent", "default"], Field(description="What the HSS is asked for: the lent set or the ISIM's.")
    ] = "lent"
    static_for: Annotated[
        tuple[str, ...], Field(description="Partners that have our configuration data off-line (10.1.X.1 NOTE 2).")
    ] = ()


class UeFacts(_Fact):
    """One UE: whose it is and what its ISIM holds."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$", description="Names a folder too: a run may come from a stranger."),
    ]
    system: str
    mc_service_id: str
    private_user_identity: str
    public_user_identities: tuple[str, ...]
    addresses: tuple[str, ...]


class RunFacts(_Fact):
    """The facts of one run."""

    scenario: str
    hosts: Annotated[dict[str, str], Field(description="address -> host name (role.system.lab)")]
    systems: tuple[SystemFacts, ...]
    ues: tuple[UeFacts, ...]
    crowd: Annotated[Crowd | None, Field(description="Many subscribers, of whom a storm is made.")] = None
    steps: Annotated[tuple[dict[str, Any], ...], Field(description="What the scenario did, in order.")] = ()
    completed: Annotated[bool, Field(description="Whether the scenario came to its end.")] = True
    failure: Annotated[str | None, Field(description="Why it did not.")] = None
    environment: dict[str, str] = {}

    @cached_property
    def _places(self) -> dict[str, tuple[str, str]]:
        """Address -> role and system."""
        places = {}
        for address, name in self.hosts.items():
            labels = name.split(".")
            places[address] = (labels[0].rstrip("0123456789"), labels[1] if len(labels) > 1 else "")
        return places | {address: ("ue", "") for ue in self.ues for address in ue.addresses}

    def names(self) -> dict[str, str]:
        """Return address -> name of every host and UE."""
        return {**self.hosts, **{address: ue.name for ue in self.ues for address in ue.addresses}}

    def system(self, name: str) -> SystemFacts:
        """Return one system.

        Raises:
            KeyError: there is no such system.
        """
        for system in self.systems:
            if system.name == name:
                return system
        raise KeyError(name)

    def role(self, address: str) -> str:
        """Return the role behind an address: ``pcscf``, ``proxy`` for any proxy, ``ue``; empty when unknown."""
        return self._places.get(address, ("", ""))[0]

    def system_of(self, address: str) -> str:
        """Return the system that an address of a host belongs to; empty for a UE or when unknown."""
        return self._places.get(address, ("", ""))[1]

    def entered(self, ue: str) -> frozenset[str]:
        """Return the identities that the scenario put into a UE by hand: nobody but the scenario spread them."""
        return frozenset(
            identity
            for step in self.steps
            if step.get("step") == "EnterConnectionDetails" and step.get("ue") == ue
            for identity in (str(step.get("private_user_identity")), *map(str, step.get("public_user_identities", ())))
        )

    def takes_through(self, ue: UeFacts) -> frozenset[str]:
        """Return the procedures that the scenario took a UE through with success; ``part_of`` names them."""
        return frozenset(part for step in self.steps for part in _parts(step, ue))


def part_of(step_id: str) -> str:
    """Return the part of a procedure that a step belongs to: what one action of a UE brings about as a whole."""
    if step_id in ("10.6.1-1", "10.6.2-1", "10.6.2-14"):
        return step_id
    return step_id.rpartition("-")[0]


def _parts(step: Mapping[str, Any], ue: UeFacts) -> Iterator[str]:
    """Yield the parts that one step of a scenario brings about for a UE."""
    kind, home = step.get("step"), step.get("system") == ue.system
    statuses = step.get("status", 200)
    if 200 not in (statuses if isinstance(statuses, list | tuple) else (statuses,)):
        return
    if step.get("ue") == ue.name:
        if kind == "Authenticate":
            yield "10.6.1-1" if home else "10.6.2-1"
        elif kind == "Register":
            yield "10.6.1" if home else "10.6.2"
        elif kind == "GetConnectionDetails":
            yield "10.1.X.1"
    elif kind == "Message" and step.get("receiver") == ue.name and step.get("receiver_system") != ue.system:
        yield "10.6.2-14"


def load_facts(run_directory: Path) -> RunFacts:
    """Read ``run.json``.

    Raises:
        FactsMissing: it is missing, is no JSON, or lacks what a judge needs.
    """
    path = run_directory / "run.json"
    try:
        value: Any = json.loads(path.read_text())
        return RunFacts.model_validate(value)
    except OSError as exc:
        raise FactsMissing(f"{path}: {exc.strerror}; is this a run directory?") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        raise FactsMissing(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
    except ValueError as exc:
        raise FactsMissing(f"{path}: not JSON: {exc}; the run was cut off") from exc
