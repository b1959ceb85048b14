"""Named checks over identity sets: whose they are, how they were chosen, what the HSS is asked for."""

from collections.abc import Iterator

from lab.evidence.checks.finding import Finding, differs, frame_filter, http_filter, judged, lacks
from lab.evidence.index import PUBLIC_IDENTITY, USER_NAME
from lab.evidence.queries import sets_in, stories_in, story_of
from lab.evidence.story import Evidence
from lab.evidence.texts import uri_of


def distinct_sets(evidence: Evidence, *, ues: tuple[str, ...]) -> Finding:
    """No identity of one UE's primary migration set or partner set is another's; and each UE has both."""
    owner: dict[str, str] = {}
    faults: list[str] = list(lacks(len(set(ues)) >= 2, "fewer than two UEs to compare"))
    frames: list[int] = []
    for ue in dict.fromkeys(ues):
        story = story_of(evidence, ue)
        lent = {*story.sets.primary, *story.sets.partner}
        frames += list(story.partner_set.frames) if story.partner_set else []
        faults += lacks(story.sets.primary and story.sets.partner, f"{ue} was not lent both sets")
        for identity in sorted(lent):
            if owner.setdefault(identity, ue) != ue:
                faults.append(f"{identity} is {owner[identity]}'s and {ue}'s")
    return judged(frames, frame_filter(frames), faults)


def partner_chosen(evidence: Evidence, *, ue: str, system: str) -> Finding:
    """Step 13 names this partner, and its service area holds the location of step 1."""
    story = story_of(evidence, ue)
    if story.details is None:
        return judged((), "", [f"{ue} asked for no connection details"])
    location = story.details.request.json().get("location_information") or {}

    def faults() -> Iterator[str]:
        assert story.details is not None
        yield from differs("partner of step 13", story.details.answer().get("partner_mc_system"), system)
        held = evidence.facts.system(system).service_area.holds(location)
        yield from lacks(held, f"the area of {system} does not hold the location of step 1")

    return judged(story.details.frames, http_filter(story.details), faults())


def hss_asked_for(evidence: Evidence, *, ue: str, identities: str) -> Finding:
    """The MAR at the HSS names the ``lent`` set (that of step 9) or the ``default`` set (the ISIM's)."""
    story = story_of(evidence, ue)
    if story.hss is None:
        return judged((), "", [f"no MAR of {ue} reached the HSS over CSC-Y"])
    request = story.hss.request
    wanted = {
        "lent": story.sets.primary,
        "default": (story.ue.private_user_identity, *story.ue.public_user_identities),
    }[identities]

    def faults() -> Iterator[str]:
        yield from lacks(wanted, f"no {identities} set is known")
        yield from lacks(request.value(USER_NAME) in wanted[:1], f"User-Name {request.value(USER_NAME)!r}")
        public = request.value(PUBLIC_IDENTITY)
        yield from lacks(public in wanted[1:], f"Public-Identity {public!r}")

    return judged([request.frame.number], "diameter.cmd.code == 303 && diameter.flags.request == 1", faults())


def impus_paired(evidence: Evidence, *, ue: str, count: int) -> Finding:
    """Both sets have so many IMPUs, paired by position, and the 200 to REGISTER names those of the partner set."""
    story = story_of(evidence, ue)
    primary, partner = story.sets.primary[1:], story.sets.partner[1:]
    final = story.partner.final if story.partner else None
    listed = ",".join(final.headers.get("p-associated-uri", ())) if final else ""
    named = {uri_of(one) for one in listed.split(",")}

    def faults() -> Iterator[str]:
        yield from differs("IMPUs of the primary set", len(primary), count)
        yield from differs("IMPUs of the partner set", len(partner), count)
        for identity in partner:
            yield from lacks(identity in named, f"{identity} is not in the P-Associated-URI of the 200")
        yield from lacks(story.aaa_2 and story.csc_y, "no MAR on AAA-2 and CSC-Y to compare")
        if story.aaa_2 and story.csc_y:
            here, there = (hop.request.value(PUBLIC_IDENTITY) for hop in (story.aaa_2, story.csc_y))
            pairs = dict(zip(partner, primary, strict=False))
            yield from lacks(here in pairs, f"{here} on AAA-2 is not of the partner set")
            yield from differs(f"counterpart of {here}", there, pairs.get(str(here)))

    frames = [final.frame.number if final else None]
    return judged(frames, frame_filter(frames), faults())


def sets_per_partner(evidence: Evidence, *, ue: str, systems: tuple[str, ...]) -> Finding:
    """A primary migration set of its own for each partner, a partner set of each, 200 in each (7.4.2.2.X NOTE 1)."""
    lent = {system: sets_in(evidence, ue, system) for system in systems}
    finals = [
        story.partner.final
        for system in systems
        for story in stories_in(evidence, ue, system)
        if story.partner and story.partner.final and story.partner.final.status == 200
    ]
    registered = {evidence.facts.system_of(final.frame.source) for final in finals}

    def faults() -> Iterator[str]:
        seen: dict[str, str] = {}
        for system, sets in lent.items():
            yield from lacks(sets.primary and sets.partner, f"{ue} was lent no set for {system}")
            yield from lacks(system in registered, f"{ue} was not registered in {system}")
            domain = evidence.facts.system(system).home_domain
            yield from lacks(all(one.endswith("@" + domain) for one in sets.partner), f"not a set of {domain}")
            for identity in (*sets.primary, *sets.partner):
                first = seen.setdefault(identity, system)
                yield from lacks(first == system, f"{identity} is for {first} and for {system}")

    frames = [final.frame.number for final in finals]
    return judged(frames, frame_filter(frames), faults())


def configuration_off_line(evidence: Evidence, *, ue: str) -> Finding:
    """Step 12 brought no initial UE configuration data, and step 13 has the partner's all the same (NOTE 2)."""
    story = story_of(evidence, ue)
    if story.access is None or story.details is None:
        return judged((), "", [f"{ue} was given no connection details"])
    partner = evidence.facts.system_of(story.access.request.frame.destination)
    data = story.details.answer().get("initial_ue_configuration") or {}

    def faults() -> Iterator[str]:
        assert story.access is not None
        brought = story.access.answer().get("initial_ue_configuration")
        yield from lacks(not brought, "step 12 brought initial UE configuration data")
        yield from differs("mc_system of the data of step 13", data.get("mc_system"), partner)
        yield from differs("home domain", data.get("home_domain"), evidence.facts.system(partner).home_domain)

    return judged([*story.access.frames, *story.details.frames], http_filter(story.access), faults())
