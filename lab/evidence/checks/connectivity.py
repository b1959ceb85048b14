"""10.1.X.1, steps 1 to 13: the UE obtains migration connectivity information of the partner MC system.

Each step is compared with an anchor further up than its neighbour, so that one changed value fails one step.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from lab.evidence.checks.finding import Finding, absent, differs, http_filter, judged, lacks
from lab.evidence.facts import RunFacts
from lab.evidence.index import USER_NAME
from lab.evidence.story import Evidence, Story, identity_set
from lab.evidence.texts import bearer_of, claims_of

UAR: Final = 300
KNOWN: Final = (2001, 2002)
"""Results of a UAA for a pair that the HSS has, whether it is registered or not."""


def step_1(story: Story, evidence: Evidence) -> Finding:
    """CSC-4 request: location, MC service IDs and the ISIM's default identities, with a bearer token."""
    details = story.details
    if details is None:
        return absent("no get partner MC system connection details request")
    body = details.request.json()

    def faults() -> Iterator[str]:
        yield from differs("method", details.request.method, "POST")
        yield from lacks(body.get("location_information"), "no location information")
        yield from lacks(
            story.ue.mc_service_id in body.get("mc_service_ids", ()), "the user's MC service ID is missing"
        )
        wanted = (story.ue.private_user_identity, *story.ue.public_user_identities)
        found = identity_set(body.get("default_identities"))
        yield from lacks(found and set(found) <= set(wanted), f"default identities {found}: the ISIM holds {wanted}")
        yield from lacks(bearer_of(details.request), "no bearer token")
        yield from differs("server", evidence.facts.system_of(details.request.frame.destination), story.ue.system)

    return judged([details.request.frame.number], http_filter(details), faults())


def step_2(story: Story, evidence: Evidence) -> Finding:
    """Authorised for migration: CSC-X follows, and only for the subject of the token of step 1."""
    if story.details is None or story.primary_set is None:
        return absent("no CSC-X request follows")
    token = claims_of(bearer_of(story.details.request))
    owned = {str(value) for value in _flat(token.values())}
    asked = {str(value) for value in story.primary_set.request.json().get("mc_service_ids", ())}
    frames = (story.details.request.frame.number, story.primary_set.request.frame.number)
    faults = lacks(asked and asked <= owned, f"step 4 is for {sorted(asked)}, the token of step 1 names others")
    return judged(frames, http_filter(story.details), faults, "CSC-X follows for the token's subject")


def step_3(story: Story, evidence: Evidence) -> Finding:
    """The partner is the one asked for, or the one whose service area holds the location sent."""
    if story.details is None or story.access is None:
        return absent("no partner MC system was asked")
    body = story.details.request.json()
    partner = evidence.facts.system_of(story.access.request.frame.destination)
    requested = body.get("partner_mc_system")
    frames = (story.details.request.frame.number, story.access.request.frame.number)
    if requested == partner:
        return judged(frames, http_filter(story.access), (), f"{partner}, as requested in step 1")
    held = _serves(evidence.facts, partner, body.get("location_information") or {})
    faults = lacks(held, f"step 7 went to {partner or 'nobody'}, whose area does not hold the location of step 1")
    return judged(frames, http_filter(story.access), faults, f"{partner}, whose area holds the location of step 1")


def step_4(story: Story, evidence: Evidence) -> Finding:
    """CSC-X request: MC service IDs and default identities as received in step 1."""
    asked = story.primary_set
    if asked is None or story.details is None:
        return absent("no get primary MC system SIP identities request")
    body, first = asked.request.json(), story.details.request.json()

    def faults() -> Iterator[str]:
        yield from differs("MC service IDs", body.get("mc_service_ids"), first.get("mc_service_ids"))
        found, wanted = identity_set(body.get("default_identities")), identity_set(first.get("default_identities"))
        yield from differs("default identities", found, wanted)
        yield from differs("sender", evidence.facts.role(asked.request.frame.source), "cms")

    return judged([asked.request.frame.number], http_filter(asked), faults())


def step_5(story: Story, evidence: Evidence) -> Finding:
    """A set is allocated: as configured, and handed to nobody else in the run."""
    lent = _primary_identities(story)
    if story.primary_set is None or story.primary_set.response is None or not lent:
        return absent("no primary migration set was allocated")
    default = identity_set(story.primary_set.request.json().get("default_identities"))
    system = evidence.facts.system(story.ue.system)

    def faults() -> Iterator[str]:
        if system.allocation == "default":
            yield from differs("set of step 6 (configured: the default set)", lent, default)
        else:
            yield from lacks(not set(lent) & set(default), "the set of step 6 is the default set of step 4")
        if system.allocation == "random":
            prefix = system.lent_prefix
            yield from lacks(lent[0].startswith(prefix), f"{lent[0]} is outside the lent range {prefix}")
        if system.allocation == "sip-database":
            yield from lacks(
                _is_known_to_hss(story, evidence), "no UAA between steps 4 and 6 says that the set is known"
            )
        owner = (default[0] if default else "", _partner_of(story))
        shared = any(evidence.given.get(identity, set()) - {owner} for identity in lent)
        yield from lacks(not shared or lent == default, "the same set was given to another user or partner")
        for ue in evidence.facts.ues:
            if ue.name != story.ue.name:
                yield from lacks(ue.private_user_identity not in lent, f"the set is the ISIM set of {ue.name}")

    frames = story.primary_set.frames
    return judged(frames, http_filter(story.primary_set), faults(), f"allocation: {system.allocation}")


def step_6(story: Story, evidence: Evidence) -> Finding:
    """CSC-X response: the primary migration set, and the identifier of the primary MMS."""
    asked = story.primary_set
    if asked is None or asked.response is None or asked.status != 200:
        return absent("no get primary MC system SIP identities response")
    body = asked.answer()

    def faults() -> Iterator[str]:
        yield from lacks(_primary_identities(story), "no primary MC system SIP identities")
        wanted = _mms_identifier(evidence.facts, story.ue.system)
        yield from differs("migration management server", body.get("migration_management_server"), wanted)

    return judged([asked.response.frame.number], http_filter(asked), faults())


def step_7(story: Story, evidence: Evidence) -> Finding:
    """CSC-17 request: MC service IDs, the primary MMS, and the set of step 6."""
    access = story.access
    if access is None:
        return absent("no partner MC system access request")
    body = access.request.json()

    def faults() -> Iterator[str]:
        first = story.details.request.json() if story.details else {}
        yield from differs("MC service IDs", body.get("mc_service_ids"), first.get("mc_service_ids"))
        wanted = _mms_identifier(evidence.facts, story.ue.system)
        yield from differs("migration management server", body.get("migration_management_server"), wanted)
        found = identity_set(body.get("primary_mc_system_sip_identities"))
        yield from differs("set", found, _primary_identities(story))

    return judged([access.request.frame.number], http_filter(access), faults())


def step_8(story: Story, evidence: Evidence) -> Finding:
    """The partner authorised the primary system: its certificate is the primary's, and step 9 follows."""
    if story.access is None or story.partner_set is None:
        return absent("no step 9 follows at the partner")
    frame = story.access.request.frame
    shown = [
        certificate
        for certificate in evidence.capture.certificates
        if certificate.frame.stream == frame.stream and certificate.frame.source == frame.source
    ]
    wanted = evidence.facts.hosts.get(frame.source, "")
    names = {name for certificate in shown for name in certificate.names}

    def faults() -> Iterator[str]:
        yield from lacks(shown, "no client certificate in the TLS handshake of step 7")
        yield from lacks(not shown or wanted in names, f"client certificate names {sorted(names)}, wanted {wanted}")
        yield from differs("system", evidence.facts.system_of(frame.source), story.ue.system)

    frames = [*(c.frame.number for c in shown), story.partner_set.request.frame.number]
    return judged(frames, f"tcp.stream == {frame.stream} && tls.handshake.type == 11", faults(), f"client is {wanted}")


def step_9(story: Story, evidence: Evidence) -> Finding:
    """CSC-X request at the partner: the primary MMS and the primary migration set."""
    asked = story.partner_set
    if asked is None:
        return absent("no get partner MC system SIP identities request")
    body = asked.request.json()

    def faults() -> Iterator[str]:
        wanted = _mms_identifier(evidence.facts, story.ue.system)
        yield from differs("migration management server", body.get("migration_management_server"), wanted)
        found = identity_set(body.get("primary_mc_system_sip_identities"))
        yield from differs("set", found, _primary_identities(story))
        yield from differs("sender", evidence.facts.role(asked.request.frame.source), "cms")

    return judged([asked.request.frame.number], http_filter(asked), faults())


def step_10(story: Story, evidence: Evidence) -> Finding:
    """A partner set is allocated: in the partner's range, in no earlier frame, as many IMPUs as the primary set."""
    asked, lent = story.partner_set, _partner_identities(story)
    if asked is None or asked.response is None or not lent:
        return absent("no partner set was allocated")
    system = evidence.facts.system(evidence.facts.system_of(asked.request.frame.destination))
    private = lent[0]

    def faults() -> Iterator[str]:
        yield from lacks(
            private.startswith(system.lent_prefix) and private.endswith("@" + system.home_domain),
            f"{private} is outside {system.lent_prefix}...@{system.home_domain}",
        )
        yield from differs("number of IMPUs", len(lent) - 1, len(_primary_identities(story)) - 1)
        bound = evidence.bound_first.get(_primary_identities(story), asked.request.frame.number)
        for identity in lent:
            earlier = evidence.sightings.first_frame(identity)
            was_seen = earlier is not None and earlier < min(bound, asked.request.frame.number)
            yield from lacks(not was_seen, f"{identity} was already in frame {earlier}")

    return judged([asked.response.frame.number], http_filter(asked), faults())


def step_11(story: Story, evidence: Evidence) -> Finding:
    """CSC-X response at the partner: the partner set, valid for some time to come."""
    asked = story.partner_set
    if asked is None or asked.response is None or asked.status != 200:
        return absent("no get partner MC system SIP identities response")
    body = asked.answer()

    def faults() -> Iterator[str]:
        yield from lacks(_partner_identities(story), "no partner MC system SIP identities")
        yield from lacks(
            _is_after(body.get("valid_until"), asked.request.frame.time_s), "valid_until is not in the future"
        )

    return judged([asked.response.frame.number], http_filter(asked), faults())


def step_12(story: Story, evidence: Evidence) -> Finding:
    """CSC-17 response: the partner set and the initial UE configuration data (Annex A.6), if not off-line (NOTE 2)."""
    access = story.access
    if access is None or access.response is None or access.status != 200:
        return absent("no partner MC system access response")
    body = access.answer()
    partner = evidence.facts.system_of(access.request.frame.destination)

    def faults() -> Iterator[str]:
        found = identity_set(body.get("partner_mc_system_sip_identities"))
        yield from differs("set", found, _partner_identities(story))
        data = body.get("initial_ue_configuration") or {}
        off_line = story.ue.system in evidence.facts.system(partner).static_for
        wanted = None if off_line else partner
        yield from differs("mc_system of the initial UE configuration data", data.get("mc_system"), wanted)

    return judged([access.response.frame.number], http_filter(access), faults())


def step_13(story: Story, evidence: Evidence) -> Finding:
    """CSC-4 response: chosen partner, partner set, initial UE configuration data of the partner."""
    details = story.details
    if details is None or details.response is None or details.status != 200:
        return absent("no get partner MC system connection details response")
    body = details.answer()
    partner = evidence.facts.system_of(story.access.request.frame.destination) if story.access else ""

    def faults() -> Iterator[str]:
        yield from differs("partner MC system", body.get("partner_mc_system"), partner)
        found = identity_set(body.get("partner_mc_system_sip_identities"))
        yield from differs("set", found, _partner_identities(story))
        data = body.get("initial_ue_configuration") or {}
        wanted = evidence.facts.system(partner).home_domain if partner else ""
        yield from differs("home domain", data.get("home_domain"), wanted)

    return judged([details.response.frame.number], http_filter(details), faults())


def _partner_identities(story: Story) -> tuple[str, ...]:
    """Return the partner set of step 11 as (IMPI, IMPU, ...); empty without one."""
    asked = story.partner_set
    return identity_set(asked.answer().get("partner_mc_system_sip_identities")) if asked else ()


def _primary_identities(story: Story) -> tuple[str, ...]:
    asked = story.primary_set
    return identity_set(asked.answer().get("primary_mc_system_sip_identities")) if asked else ()


def _is_known_to_hss(story: Story, evidence: Evidence) -> bool:
    """Tell whether the SIP database was asked for the set before it was lent, and knew it (TS 29.228 §6.1.1)."""
    exchange, lent = story.primary_set, _primary_identities(story)
    assert exchange is not None
    assert exchange.response is not None
    first, last = exchange.request.frame.number, exchange.response.frame.number
    asked = evidence.index.requests_for(UAR, lent, first, last)
    answers = [evidence.index.answer_to(one) for one in asked if set(lent) >= {one.value(USER_NAME)}]
    return any(answer is not None and answer.result_code in KNOWN for answer in answers)


def _partner_of(story: Story) -> str:
    return str(story.primary_set.request.json().get("partner_mc_system")) if story.primary_set else ""


def _mms_identifier(facts: RunFacts, system: str) -> str:
    return next((name for name in facts.hosts.values() if name.startswith(f"mms.{system}.")), "")


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _serves(facts: RunFacts, system: str, location: dict[str, Any]) -> bool:
    """Tell whether the service area of ``system`` holds the location of step 1."""
    try:
        return facts.system(system).service_area.holds(location)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False  # no such system, or no location in the form of step 1


def _is_after(text: object, time_s: float) -> bool:
    try:
        return datetime.fromisoformat(str(text)).timestamp() > time_s
    except ValueError:
        return False
