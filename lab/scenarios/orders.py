"""Storms and drills: scenarios made from numbers on a command line, not from the library.

An order travels from ``mclab`` to the supervisor as JSON and becomes a scenario there.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lab.attach.config import load_attachment, location_in, settings_of
from lab.load.crowd import USERS_MAX
from lab.scenarios.migrations import IN_MC2, migrate
from lab.scenarios.model import CONNECTIVITY, MIGRATION, Scenario, Step, check
from lab.scenarios.system_steps import Chaos, EnterCrowd, Preflight, Storm
from lab.scenarios.ue_steps import Authenticate, Deregister, Move

HOME: Final = "mc1"
PARTNER: Final = "mc2"
STORM_UE: Final = "ue1"


class StormOrder(BaseModel):
    """``mclab storm``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["storm"]
    users: Annotated[int, Field(ge=1, le=USERS_MAX)]
    rate: Annotated[float, Field(gt=0, le=10_000)]
    sides: tuple[Literal["native", "migrated"], ...]
    ramp_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    for_s: Annotated[float | None, Field(gt=0, le=86_400)] = None
    expires: Annotated[int, Field(ge=30, le=600_000)] = 600
    deregister: bool = False
    timeout_s: Annotated[float, Field(gt=0, le=32)] = 32.0
    find_rate: bool = False
    p99_ms: Annotated[float, Field(gt=0)] = 100.0
    seed: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")] = "1"


class ChaosOrder(BaseModel):
    """``mclab drill chaos``: runs ``first`` to ``last`` of a seed, in one lab."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["chaos"]
    seed: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")]
    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]


class AttachOrder(BaseModel):
    """``mclab attach``: a core that is elsewhere; ``check`` ends after the pre-flight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["attach"]
    file: Path
    check: bool = False


Orders: TypeAlias = StormOrder | ChaosOrder | AttachOrder
_ORDER: Final[TypeAdapter[Orders]] = TypeAdapter(Annotated[Orders, Field(discriminator="kind")])


def scenario_of_order(text: str) -> Scenario:
    """Return the scenario that an order asks for.

    Raises:
        ValueError: the text is no order.
    """
    order = _ORDER.validate_json(text)
    match order:
        case StormOrder():
            return storm_scenario(order)
        case ChaosOrder():
            return chaos_scenario(order)
        case AttachOrder():
            return attach_scenario(order)


def attach_scenario(order: AttachOrder) -> Scenario:
    """Return a migration to a core that is elsewhere, after its pre-flight check.

    Raises:
        AttachError: the file cannot be used.
    """
    attachment = load_attachment(order.file)
    core = attachment.core.name
    flight = (
        Authenticate("ue1", HOME),
        *migrate("ue1", core, location_in(attachment)),
        Deregister("ue1", core),
    )
    checks = (
        check("sip-status", ue="ue1", system=core, method="REGISTER", status=200),
        check("deregistered", ue="ue1", system=core),
    )
    return Scenario(
        name="attach",
        what=f"A user of {HOME} migrates to {core} ({attachment.core.home_domain}), a core that is not the lab's.",
        steps=(Preflight("ue1", core), *(() if order.check else flight)),
        systems=(HOME, core),
        ues=("ue1",),
        settings=settings_of(attachment, "ue1"),
        proves=() if order.check else (*CONNECTIVITY, *MIGRATION[:13]),
        checks=() if order.check else checks,
    )


def chaos_scenario(order: ChaosOrder) -> Scenario:
    """Return some runs of a chaos drill; what is held lapses soon, and what was given back is soon free again."""
    return Scenario(
        name="chaos",
        what=f"Programs die while a user migrates: runs {order.first} to {order.last} of seed {order.seed}.",
        steps=(Chaos("ue1", HOME, PARTNER, order.seed, order.first, order.last, IN_MC2),),
        systems=(HOME, PARTNER),
        ues=("ue1",),
        settings={
            f"systems.{system}.{name}": value
            for system in (HOME, PARTNER)
            for name, value in (("held_s", 3), ("quarantine_s", 1))
        },
    )


def storm_scenario(order: StormOrder) -> Scenario:
    """Return a storm: bindings entered in bulk, then everybody registers from where ``ue1`` is."""
    steps: list[Step] = [EnterCrowd()] if "migrated" in order.sides else []
    for side in order.sides:
        steps.append(Move(STORM_UE, HOME if side == "native" else PARTNER))
        steps.append(
            Storm(
                STORM_UE,
                side,
                order.rate,
                order.ramp_s,
                order.for_s,
                order.expires,
                order.deregister,
                order.timeout_s,
                order.find_rate,
                order.p99_ms,
            )
        )
    return Scenario(
        name="storm",
        what=f"{order.users} users register at {order.rate:g}/s: {', then '.join(order.sides)}.",
        steps=tuple(steps),
        systems=(HOME, PARTNER),
        ues=(STORM_UE,),
        settings={
            "crowd.home": HOME,
            "crowd.partner": PARTNER,
            "crowd.users": order.users,
            "crowd.seed": order.seed,
            "systems.mc1.valid_s": 86400,
        },
    )
