"""10.6.2 over Diameter: steps 3 to 10, how the partner gets SIP authentication information from the primary.

The authentication item is compared with the HSS's MAA (step 7) on every later leg, so that a changed octet fails
the step whose message holds it and no other.
"""

from collections.abc import Iterator
from itertools import pairwise

from lab.evidence.checks.authentication import AKA_SCHEME, AUTHENTICATION_SCHEME, item_of, one_aka_item
from lab.evidence.checks.finding import Finding, absent, differs, judged, lacks
from lab.evidence.index import PUBLIC_IDENTITY, USER_NAME, Hop
from lab.evidence.messages import DiameterMessage
from lab.evidence.story import Evidence, Story

CX = 16777216
UAR = 300
SERVER_NAME = 602
DESTINATION_HOST = 293
DESTINATION_REALM = 283
ROUTE_RECORD = 282
SUCCESS = 2001
# Budgets fall from hop to hop: the S-CSCF gives up after 2 s.
AAA_2_BUDGET_S = 1.7
CSC_Y_BUDGET_S = 1.3
HSS_BUDGET_S = 1.0


def step_3(story: Story, evidence: Evidence) -> Finding:
    """MAR on AAA-2: proxiable, Cx, AKA, with the identities of step 2; the UAR before it likewise."""
    hop, partner = story.aaa_2, story.partner
    if hop is None or partner is None or evidence.index.leg(hop.request) != "aaa-2":
        return absent("no MAR on AAA-2")
    request = hop.request
    private, public = partner.identities

    def faults() -> Iterator[str]:
        yield from differs("User-Name", request.value(USER_NAME), private)
        yield from differs("Public-Identity", request.value(PUBLIC_IDENTITY), public)
        yield from lacks(request.is_proxiable, "the P bit is clear")
        yield from differs("application", request.application_id, CX)
        scheme = request.value(AUTHENTICATION_SCHEME) or ""
        yield from lacks(scheme.lower() in (AKA_SCHEME.lower(), "unknown"), f"scheme {scheme!r}")
        start, end = partner.first.frame.number, request.frame.number
        for uar in evidence.index.requests_for(UAR, (private, public), start, end):
            if evidence.index.leg(uar) == "aaa-2" and evidence.facts.system_of(uar.frame.source) == partner.system:
                where = f"of the UAR in frame {uar.frame.number}"
                yield from differs(f"User-Name {where}", uar.value(USER_NAME), private)
                yield from differs(f"Public-Identity {where}", uar.value(PUBLIC_IDENTITY), public)

    return judged([request.frame.number], _transaction(hop), faults())


def step_4(story: Story, evidence: Evidence) -> Finding:
    """The binding is recognised: partner set on AAA-2, primary migration set on CSC-Y."""
    here, there = story.aaa_2, story.csc_y
    if here is None or there is None:
        return absent("no CSC-Y request follows")
    lent, primary = story.sets.partner, story.sets.primary

    def faults() -> Iterator[str]:
        if lent:
            yield from differs("User-Name on AAA-2 (set of step 11)", here.request.value(USER_NAME), lent[0])
        if primary:
            yield from differs("User-Name on CSC-Y (set of step 9)", there.request.value(USER_NAME), primary[0])
            found = there.request.value(PUBLIC_IDENTITY)
            yield from lacks(found in primary[1:], f"Public-Identity on CSC-Y {found!r} is not of the set of step 9")
        if lent and primary and here.request.value(PUBLIC_IDENTITY) in lent:
            position = lent.index(str(here.request.value(PUBLIC_IDENTITY)))
            wanted = primary[position] if position < len(primary) else None
            yield from differs("Public-Identity by position", there.request.value(PUBLIC_IDENTITY), wanted)
        for code, name in ((USER_NAME, "User-Name"), (PUBLIC_IDENTITY, "Public-Identity")):
            before, after = here.request.value(code), there.request.value(code)
            yield from lacks(after and before != after, f"{name} was not mapped: {after!r}")
        if not primary:
            domain = evidence.facts.system(story.ue.system).home_domain
            found = there.request.value(USER_NAME) or ""
            yield from lacks(found.endswith("@" + domain), f"User-Name on CSC-Y {found!r} is not of {domain}")

    detail = "binding entered by hand" if story.sets.by_hand or not (lent and primary) else ""
    return judged([here.request.frame.number, there.request.frame.number], _transaction(there), faults(), detail)


def step_5(story: Story, evidence: Evidence) -> Finding:
    """MAR on CSC-Y: over TLS, the same End-to-End, a new Hop-by-Hop, no partner identity, toward the primary."""
    here, there = story.aaa_2, story.csc_y
    if here is None or there is None:
        return absent("no MAR on CSC-Y")
    request = there.request
    domain = evidence.facts.system(story.ue.system).home_domain

    def faults() -> Iterator[str]:
        for one in story.csc_y_path:
            yield from lacks(one.request.is_tls, f"frame {one.request.frame.number} is not over TLS")
        yield from differs("End-to-End", request.end_to_end, here.request.end_to_end)
        yield from lacks(request.hop_by_hop != here.request.hop_by_hop, "the Hop-by-Hop of AAA-2 was kept")
        yield from lacks(request.is_proxiable, "the P bit is clear")
        yield from differs("Destination-Realm", request.value(DESTINATION_REALM), domain)
        yield from lacks(request.value(DESTINATION_HOST) is None, "a Destination-Host is set")
        yield from differs("application", request.application_id, CX)
        yield from _hidden(request, story, evidence)
        yield from _relayed(story.csc_y_path, evidence)

    path = story.csc_y_path
    return judged([one.request.frame.number for one in path], _transaction(*path), faults(), _way(path, evidence))


def step_6(story: Story, evidence: Evidence) -> Finding:
    """MAR at the HSS of the primary: the set of the mode in force, and a Server-Name of the primary's core."""
    hop, there = story.hss, story.csc_y
    if hop is None or there is None:
        return absent("no MAR at the primary's SIP database")
    request = hop.request
    system = evidence.facts.system(story.ue.system)

    def faults() -> Iterator[str]:
        default = (story.ue.private_user_identity, *story.ue.public_user_identities)
        is_default = system.hss_identities == "default" or system.allocation not in ("pool", "sip-database")
        found = (request.value(USER_NAME), request.value(PUBLIC_IDENTITY))
        if is_default:
            yield from differs("User-Name (the ISIM's, as configured)", found[0], default[0])
            yield from lacks(found[1] in default, f"Public-Identity {found[1]!r} is not of the ISIM")
        else:
            wanted = story.sets.primary or (
                str(there.request.value(USER_NAME)),
                str(there.request.value(PUBLIC_IDENTITY)),
            )
            yield from differs("User-Name (the lent set, as configured)", found[0], wanted[0])
            yield from lacks(found[1] in wanted[1:], f"Public-Identity {found[1]!r} is not of the lent set")
        name = request.value(SERVER_NAME)
        yield from lacks(name in system.scscf, f"Server-Name {name!r} is no S-CSCF of the primary's core")
        yield from differs("End-to-End", request.end_to_end, there.request.end_to_end)
        yield from differs("application", request.application_id, CX)
        yield from differs("system", evidence.facts.system_of(request.frame.destination), story.ue.system)
        yield from _relayed(story.hss_path, evidence)

    path = story.hss_path
    return judged([one.request.frame.number for one in path], _transaction(*path), faults(), _way(path, evidence))


def step_7(story: Story, evidence: Evidence) -> Finding:
    """MAA of the HSS: success, one AKA item, the identities asked for."""
    hop = story.hss
    if hop is None or hop.answer is None or hop.answer.result_code != SUCCESS:
        return absent("no successful MAA of the primary's SIP database")
    answer, request = hop.answer, hop.request

    def faults() -> Iterator[str]:
        yield from one_aka_item(answer)
        yield from _same_identities(answer, request)
        yield from _late(story.hss_path[0], HSS_BUDGET_S)
        yield from _returned(story.hss_path)

    path = story.hss_path
    return judged(_answers(path), _transaction(*path), faults(), _way(path, evidence))


def step_8(story: Story, evidence: Evidence) -> Finding:
    """MAA on CSC-Y: the primary migration set and the vector, octet for octet."""
    hop = story.csc_y
    if hop is None or hop.answer is None or hop.answer.result_code != SUCCESS:
        return absent("no successful MAA on CSC-Y")
    answer, request = hop.answer, hop.request

    def faults() -> Iterator[str]:
        yield from _same_identities(answer, request)
        yield from _same_item(answer, story)
        yield from differs("End-to-End", answer.end_to_end, request.end_to_end)
        yield from lacks(answer.is_tls, "not over TLS")
        yield from _hidden(answer, story, evidence)
        yield from _late(hop, CSC_Y_BUDGET_S)
        yield from _returned(story.csc_y_path)

    path = story.csc_y_path
    return judged(_answers(path), _transaction(*path), faults(), _way(path, evidence))


def step_9(story: Story, evidence: Evidence) -> Finding:
    """The binding is recognised on the way back: MAA on AAA-2 with the identities and End-to-End of step 3."""
    hop, there = story.aaa_2, story.csc_y
    if hop is None or there is None or hop.answer is None or there.answer is None:
        return absent("no MAA comes back to AAA-2")
    if there.answer.result_code != SUCCESS:
        return absent("CSC-Y answered no vector")
    answer = hop.answer

    def faults() -> Iterator[str]:
        yield from _same_identities(answer, hop.request)
        yield from differs("End-to-End", answer.end_to_end, hop.request.end_to_end)

    return judged([there.answer.frame.number, answer.frame.number], _transaction(hop), faults())


def step_10(story: Story, evidence: Evidence) -> Finding:
    """MAA on AAA-2: success, the vector of step 7 octet for octet, within the budget."""
    hop = story.aaa_2
    if hop is None or hop.answer is None or hop.answer.result_code != SUCCESS:
        return absent("no successful MAA on AAA-2")
    answer = hop.answer
    elapsed_s = answer.frame.time_s - hop.request.frame.time_s

    def faults() -> Iterator[str]:
        yield from _same_item(answer, story)
        yield from _late(hop, AAA_2_BUDGET_S)

    return judged([answer.frame.number], _transaction(hop), faults(), f"answered in {elapsed_s * 1000:.1f} ms")


def _same_identities(answer: DiameterMessage, request: DiameterMessage) -> Iterator[str]:
    for code, name in ((USER_NAME, "User-Name"), (PUBLIC_IDENTITY, "Public-Identity")):
        yield from differs(f"{name} of the MAA", answer.value(code), request.value(code))


def _hidden(message: DiameterMessage, story: Story, evidence: Evidence) -> Iterator[str]:
    """Yield what crosses CSC-Y and should not: partner identities, and names of the hosts behind the proxy.

    A Route-Record names only who passed an answer on: freeDiameter adds one to answers too.
    """
    partner = story.partner
    text = message.text
    for identity in dict.fromkeys((*story.sets.partner, *(partner.identities if partner else ()))):
        yield from lacks(identity not in text, f"the partner identity {identity} crosses CSC-Y")
    passed = {evidence.facts.hosts.get(hop.request.frame.destination) for hop in story.csc_y_path}
    behind = {avp.value for avp in message.all(ROUTE_RECORD)} - (set() if message.is_request else passed)
    yield from lacks(not behind, "a Route-Record crosses CSC-Y")
    sender = evidence.facts.system_of(message.frame.source)
    for address, host in evidence.facts.hosts.items():
        if evidence.facts.system_of(address) == sender and evidence.facts.role(address) in ("icscf", "scscf", "hss"):
            yield from lacks(host not in text, f"the name of {host} crosses CSC-Y")


def _late(hop: Hop, budget_s: float) -> Iterator[str]:
    if hop.answer is not None:
        elapsed_s = hop.answer.frame.time_s - hop.request.frame.time_s
        yield from lacks(elapsed_s <= budget_s, f"answered after {elapsed_s:.3f} s, budget {budget_s} s")


def _same_item(answer: DiameterMessage, story: Story) -> Iterator[str]:
    wanted = item_of(story.hss.answer if story.hss else None)
    yield from lacks(wanted, "no MAA of the primary's SIP database to compare with")
    yield from lacks(item_of(answer) == wanted, "the SIP-Auth-Data-Item is not, octet for octet, that of step 7")


def _transaction(*path: Hop) -> str:
    numbers = [f"diameter.hopbyhopid == {hop.request.hop_by_hop:#010x}" for hop in path]
    either = numbers[0] if len(numbers) == 1 else f"({' || '.join(numbers)})"
    return f"diameter.cmd.code == 303 && {either}"


def _relayed(path: tuple[Hop, ...], evidence: Evidence) -> Iterator[str]:
    """Yield what an agent did to a request beside a new Hop-by-Hop and its sender's Route-Record (RFC 6733 §6.1.9)."""
    for before, after in pairwise(hop.request for hop in path):
        where = f"in frame {after.frame.number}"
        yield from differs(f"End-to-End {where}", after.end_to_end, before.end_to_end)
        yield from lacks(after.hop_by_hop != before.hop_by_hop, f"an agent kept the Hop-by-Hop {where}")
        sender = evidence.facts.hosts.get(before.frame.source, "")
        came = [avp.value for avp in before.all(ROUTE_RECORD)]
        yield from differs(f"Route-Record {where}", [avp.value for avp in after.all(ROUTE_RECORD)], [*came, sender])
        yield from lacks(_but_route_records(after) == _but_route_records(before), f"an agent changed AVPs {where}")


def _returned(path: tuple[Hop, ...]) -> Iterator[str]:
    """Yield what an agent changed of an answer: only Hop-by-Hop may be another (RFC 6733 §6.2.2)."""
    for near, far in pairwise(hop.answer for hop in path):
        if near is None or far is None:
            yield "an agent did not pass the answer on"
            continue
        where = f"in frame {near.frame.number}"
        yield from differs(f"End-to-End {where}", near.end_to_end, far.end_to_end)
        yield from lacks(_but_route_records(near) == _but_route_records(far), f"an agent changed AVPs {where}")


def _but_route_records(message: DiameterMessage) -> list[str]:
    return [avp.octets for avp in message.avps if avp.code != ROUTE_RECORD]


def _answers(path: tuple[Hop, ...]) -> list[int]:
    return [hop.answer.frame.number for hop in reversed(path) if hop.answer is not None]


def _way(path: tuple[Hop, ...], evidence: Evidence) -> str:
    """Say whether the two ends speak directly (NOTE 2 and NOTE 3 of 10.6.2)."""
    agents = [evidence.facts.hosts.get(hop.request.frame.destination, "an unknown host") for hop in path[:-1]]
    return f"through agents: {', '.join(agents)}" if agents else "direct"
