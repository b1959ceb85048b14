"""What a judge must know that no capture shows: who has which address, what each ISIM holds, the configured modes.

Read from ``run.json``.  It names no key, vector or token.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


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
    lent_prefix: str = "mig-"
    scscf: tuple[str, ...] = ()
    service_area: ServiceArea = ServiceArea()
    allocation: Annotated[
        Literal["random", "pool", "default"], Field(description="How the primary migration set is chosen.")
    ] = "random"
    hss_identities: Annotated[
        Literal["lent", "default"], Field(description="What the HSS is asked for: the lent set or the ISIM's.")
    ] = "lent"


class UeFacts(_Fact):
    """One UE: whose it is and what its ISIM holds."""

    name: str
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
    environment: dict[str, str] = {}

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
        if any(address in ue.addresses for ue in self.ues):
            return "ue"
        return self.hosts.get(address, "").split(".")[0].rstrip("0123456789")

    def system_of(self, address: str) -> str:
        """Return the system that an address of a host belongs to; empty for a UE or when unknown."""
        labels = self.hosts.get(address, "").split(".")
        return labels[1] if len(labels) > 1 else ""


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
