"""Procedures one after another, as a person asks for them: register, migrate, return home; with words on the way."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import ValidationError

from mmserver.messages import Coordinates, LocationInformation
from ue_agent.agent import Agent, Registered
from ue_agent.errors import UeError, UsageError

Say = Callable[[str], None]
Flow = Literal["password", "code"]


async def register_at(agent: Agent, system: str, expires_s: int | None, say: Say) -> dict[str, Any]:
    """Register at a system that the UE knows.

    Raises:
        UeError: it failed; what was said before shows where.
    """
    say(f"REGISTER at {system} ...")
    registered = await agent.register(system, expires_s)
    said = registered.registration
    say(f"{said.status} {said.reason}: registered at {system} for {said.expires_s} s ({registered.seconds:.3f} s)")
    return {"ok": True, "system": system, **_registration(registered)}


async def migrate_to(
    agent: Agent,
    partner: str | None,
    location: LocationInformation | None,
    flow: Flow,
    expires_s: int | None,
    say: Say,
) -> dict[str, Any]:
    """Migrate from the primary MC system to a partner (10.1.X.1, then 10.6.2).

    Raises:
        UeError: it failed; what was said before shows where.
    """
    say(f"authenticating at {agent.primary} (10.6.1 step 1) ...")
    await agent.authenticate(agent.primary, flow)
    say("getting partner MC system connection details (10.1.X.1) ...")
    details = await agent.get_connection_details(partner, location)
    chosen = details.partner_mc_system
    say(f"the partner is {chosen}, until {details.valid_until.isoformat()}")
    say(f"authenticating at {chosen} with a token exchanged at {agent.primary} (10.6.2 step 1) ...")
    await agent.authenticate(chosen)
    return {
        **await register_at(agent, chosen, expires_s, say),
        "identities": details.partner_mc_system_sip_identities.model_dump(mode="json"),
        "valid_until": details.valid_until.isoformat(),
    }


async def go_home(agent: Agent, leave: str | None, expires_s: int | None, say: Say) -> dict[str, Any]:
    """Register at the primary MC system; de-register at a partner first where that still can be.

    Raises:
        UeError: the registration at home failed.
    """
    if leave is not None:
        try:
            await register_at(agent, leave, expires_s, say)  # only a registration of ours can be ended by us
            await agent.deregister(leave)
            say(f"de-registered at {leave}")
        except UeError as exc:
            say(f"not de-registered at {leave} ({exc}): that registration lapses by itself")
    return await register_at(agent, agent.primary, expires_s, say)


def parse_coordinates(text: str | None) -> LocationInformation | None:
    """Return ``LATITUDE,LONGITUDE`` as location information.

    Raises:
        UsageError: it is no point on earth.
    """
    if text is None:
        return None
    latitude, _, longitude = text.partition(",")
    try:
        point = Coordinates(latitude=float(latitude), longitude=float(longitude))
    except (ValueError, ValidationError) as exc:
        raise UsageError(f"--at {text[:60]}: wanted LATITUDE,LONGITUDE in degrees") from exc
    return LocationInformation(coordinates=point)


def parse_flow(text: str) -> Flow:
    """Return how to authenticate.

    Raises:
        UsageError: it is neither ``password`` nor ``code``.
    """
    flows: dict[str, Flow] = {"password": "password", "code": "code"}
    if text in flows:
        return flows[text]
    raise UsageError(f"--flow {text[:60]}: wanted password or code")


def _registration(registered: Registered) -> dict[str, Any]:
    said = registered.registration
    return {
        "status": said.status,
        "reason": said.reason,
        "expires": said.expires_s,
        "seconds": round(registered.seconds, 6),
        "public_user_identities": list(said.public_user_identities),
    }
