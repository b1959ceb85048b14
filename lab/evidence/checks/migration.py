"""10.6.2, steps 1 to 14: authentication and registration in the partner MC system.

The authentication item is compared with the HSS's MAA (step 7) on every later leg, so that a changed octet fails
the step whose message holds it and no other.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from lab.evidence.checks.authentication import (
    AKA_SCHEME,
    AUTHENTICATION_SCHEME,
    digest_faults,
    item_of,
    nonce_of,
    one_aka_item,
)
from lab.evidence.checks.connectivity import partner_identities, primary_identities_of_step_9
from lab.evidence.checks.finding import Finding, absent, differs, frame_filter, judged, lacks
from lab.evidence.messages import DiameterMessage, SipMessage
from lab.evidence.story import (
    PUBLIC_IDENTITY,
    USER_NAME,
    Evidence,
    Hop,
    Registration,
    Story,
    claims_of,
    digest_parameters,
    form_of,
    leg_of,
    uri_of,
)

CX = 16777216
AAA_2_BUDGET_S = 1.7
SERVER_NAME = 602
DESTINATION_HOST = 293
DESTINATION_REALM = 283
ORIGIN_REALM = 296
SUCCESS = 2001


def step_1(story: Story, evidence: Evidence) -> Finding:
    """Authentication by TS 33.180: token exchange at the primary, the JWT as a grant at the partner."""
    first, second = story.token_exchange, story.partner_token
    if first is None or second is None or first.status != 200 or second.status != 200:
        return absent("no token exchange with the partner's identity management server")
    jwt = str(first.answer().get("access_token", ""))
    claims = claims_of(jwt)

    def faults() -> Iterator[str]:
        yield from lacks(claims, "the security token is no JWT")
        yield from differs("assertion at the partner", form_of(second.request).get("assertion"), jwt)
        issuer = urlsplit(str(claims.get("iss", ""))).hostname or ""
        yield from differs("issuer", issuer, evidence.facts.hosts.get(first.request.frame.destination))
        audience = claims.get("aud")
        hosts = {urlsplit(str(a)).hostname for a in (audience if isinstance(audience, list) else [audience])}
        wanted = evidence.facts.hosts.get(second.request.frame.destination)
        yield from lacks(wanted in hosts, f"the audience {audience} is not {wanted}")
        yield from lacks(claims_of(str(second.answer().get("access_token", ""))), "no access token of the partner")

    frames = (*first.frames, *second.frames)
    return judged(frames, frame_filter(frames), faults())


def step_2(story: Story, evidence: Evidence) -> Finding:
    """REGISTER with the partner set: AKAv1-MD5, nonce and response empty; the same on every SIP leg."""
    partner = story.partner
    if partner is None:
        return absent("no REGISTER in a partner system")
    given = digest_parameters(partner.first.header("authorization"))
    lent = partner_identities(story)
    domain = evidence.facts.system(partner.system).home_domain

    def faults() -> Iterator[str]:
        if lent:
            yield from differs("IMPI", given.get("username"), lent[0])
            yield from lacks(uri_of(partner.first.header("to")) in lent, "the IMPU is not of the partner set")
        yield from differs("Request-URI", partner.first.uri, f"sip:{domain}")
        yield from differs("algorithm", given.get("algorithm"), "AKAv1-MD5")
        yield from differs("nonce and response", (given.get("nonce"), given.get("response")), ("", ""))
        for message in _copies(evidence, partner.first):
            same = digest_parameters(message.header("authorization")).get("username") == given.get("username")
            where = f"frame {message.frame.number}"
            yield from lacks(same, f"another IMPI in {where}")
            yield from lacks(message.header("to") == partner.first.header("to"), f"another IMPU in {where}")
            yield from lacks(message.header("from") == partner.first.header("from"), f"another From in {where}")

    first = partner.first.frame.number
    return judged([first], f'sip.Call-ID == "{partner.first.call_id}"', faults())


def step_3(story: Story, evidence: Evidence) -> Finding:
    """MAR on AAA-2: proxiable, Cx, AKA, with the identities of step 2; the UAR before it likewise."""
    hop, partner = story.aaa_2, story.partner
    if hop is None or partner is None or leg_of(hop.request.frame, evidence.facts) != "aaa-2":
        return absent("no MAR on AAA-2")
    request = hop.request
    private, public = _registered(partner)

    def faults() -> Iterator[str]:
        yield from differs("User-Name", request.value(USER_NAME), private)
        yield from differs("Public-Identity", request.value(PUBLIC_IDENTITY), public)
        yield from lacks(request.is_proxiable, "the P bit is clear")
        yield from differs("application", request.application_id, CX)
        scheme = request.value(AUTHENTICATION_SCHEME) or ""
        yield from lacks(scheme.lower() in (AKA_SCHEME.lower(), "unknown"), f"scheme {scheme!r}")
        for uar in _cx(evidence, partner, 300, is_request=True):
            if partner.first.frame.number < uar.frame.number < request.frame.number:
                yield from differs(f"User-Name of the UAR in frame {uar.frame.number}", uar.value(USER_NAME), private)
                found = uar.value(PUBLIC_IDENTITY)
                yield from differs(f"Public-Identity of the UAR in frame {uar.frame.number}", found, public)

    return judged([request.frame.number], _transaction(hop), faults())


def step_4(story: Story, evidence: Evidence) -> Finding:
    """The binding is recognised: partner set on AAA-2, primary migration set on CSC-Y."""
    here, there = story.aaa_2, story.csc_y
    if here is None or there is None:
        return absent("no CSC-Y request follows")
    lent, primary = partner_identities(story), primary_identities_of_step_9(story)

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
        if not lent:
            same = here.request.value(USER_NAME) == there.request.value(USER_NAME)
            yield from lacks(not same, "the identity was not mapped")

    return judged([here.request.frame.number, there.request.frame.number], _transaction(there), faults())


def step_5(story: Story, evidence: Evidence) -> Finding:
    """MAR on CSC-Y: over TLS, the same End-to-End, a new Hop-by-Hop, no partner identity, toward the primary."""
    here, there = story.aaa_2, story.csc_y
    if here is None or there is None:
        return absent("no MAR on CSC-Y")
    request = there.request
    domain = evidence.facts.system(story.ue.system).home_domain

    def faults() -> Iterator[str]:
        yield from lacks(request.is_tls, "not over TLS")
        yield from differs("End-to-End", request.end_to_end, here.request.end_to_end)
        yield from lacks(request.hop_by_hop != here.request.hop_by_hop, "the Hop-by-Hop of AAA-2 was kept")
        yield from lacks(request.is_proxiable, "the P bit is clear")
        yield from differs("Destination-Realm", request.value(DESTINATION_REALM), domain)
        yield from lacks(request.value(DESTINATION_HOST) is None, "a Destination-Host is set")
        for identity in _registered(story.partner) if story.partner else ():
            yield from lacks(identity not in request.text, f"the partner identity {identity} crosses CSC-Y")

    return judged([request.frame.number], _transaction(there), faults(), _path(there, evidence))


def step_6(story: Story, evidence: Evidence) -> Finding:
    """MAR at the HSS of the primary: the set of the mode in force, and a Server-Name of the primary's core."""
    hop, there = story.hss, story.csc_y
    if hop is None or there is None:
        return absent("no MAR at the primary's SIP database")
    request = hop.request
    system = evidence.facts.system(story.ue.system)

    def faults() -> Iterator[str]:
        default = (story.ue.private_user_identity, *story.ue.public_user_identities)
        is_default = system.hss_identities == "default" or system.allocation != "pool"
        found = (request.value(USER_NAME), request.value(PUBLIC_IDENTITY))
        if is_default:
            yield from differs("User-Name (the ISIM's, as configured)", found[0], default[0])
            yield from lacks(found[1] in default, f"Public-Identity {found[1]!r} is not of the ISIM")
        else:
            lent = primary_identities_of_step_9(story)
            wanted = lent or (str(there.request.value(USER_NAME)), str(there.request.value(PUBLIC_IDENTITY)))
            yield from differs("User-Name (the lent set, as configured)", found[0], wanted[0])
            yield from lacks(found[1] in wanted[1:], f"Public-Identity {found[1]!r} is not of the lent set")
        name = request.value(SERVER_NAME)
        yield from lacks(name in system.scscf, f"Server-Name {name!r} is no S-CSCF of the primary's core")
        yield from differs("End-to-End", request.end_to_end, there.request.end_to_end)
        yield from differs("system", evidence.facts.system_of(request.frame.destination), story.ue.system)

    return judged([request.frame.number], _transaction(hop), faults(), _path(hop, evidence))


def step_7(story: Story, evidence: Evidence) -> Finding:
    """MAA of the HSS: success, one AKA item, the identities asked for."""
    hop = story.hss
    if hop is None or hop.answer is None or hop.answer.result_code != SUCCESS:
        return absent("no successful MAA of the primary's SIP database")
    answer, request = hop.answer, hop.request

    def faults() -> Iterator[str]:
        yield from one_aka_item(answer)
        yield from _same_identities(answer, request)

    return judged([answer.frame.number], _transaction(hop), faults(), _path(hop, evidence))


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

    return judged([answer.frame.number], _transaction(hop), faults(), _path(hop, evidence))


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
        yield from lacks(elapsed_s <= AAA_2_BUDGET_S, f"answered after {elapsed_s:.3f} s, budget {AAA_2_BUDGET_S} s")

    return judged([answer.frame.number], _transaction(hop), faults(), f"answered in {elapsed_s * 1000:.1f} ms")


def step_11(story: Story, evidence: Evidence) -> Finding:
    """401: the nonce is RAND and AUTN of the vector, on every SIP leg; no ck and ik toward the UE."""
    partner = story.partner
    if partner is None or partner.challenge is None:
        return absent("no 401 to the UE")
    challenge = partner.challenge
    given = digest_parameters(challenge.header("www-authenticate"))
    nonce = nonce_of(story.hss.answer if story.hss else None)

    def faults() -> Iterator[str]:
        yield from differs("nonce", given.get("nonce"), nonce)
        yield from differs("algorithm", given.get("algorithm"), "AKAv1-MD5")
        yield from differs("realm", given.get("realm"), evidence.facts.system(partner.system).home_domain)
        yield from lacks(not {"ck", "ik"} & set(given), "ck or ik reached the UE")
        for message in _copies(evidence, challenge):
            found = digest_parameters(message.header("www-authenticate")).get("nonce")
            yield from lacks(found == nonce, f"another nonce in frame {message.frame.number}")

    return judged([challenge.frame.number], f'sip.Call-ID == "{challenge.call_id}"', faults())


def step_12(story: Story, evidence: Evidence) -> Finding:
    """REGISTER with the response: the digest made with XRES of the vector, the partner's IMPI and realm."""
    partner = story.partner
    answer = partner.answer if partner else None
    if partner is None or answer is None or not digest_parameters(answer.header("authorization")).get("response"):
        return absent("no REGISTER with a response")
    given = digest_parameters(answer.header("authorization"))
    if given.get("auts") and partner.final is None:
        return absent("the UE asked for resynchronisation and did not answer")

    def faults() -> Iterator[str]:
        maa = story.hss.answer if story.hss else None
        yield from digest_faults(answer, maa)
        yield from differs("nonce", given.get("nonce"), nonce_of(maa))
        yield from differs("IMPI", given.get("username"), _registered(partner)[0])
        yield from differs("realm", given.get("realm"), evidence.facts.system(partner.system).home_domain)
        for message in _copies(evidence, answer):
            same = message.header("authorization") == answer.header("authorization")
            yield from lacks(same, f"another Authorization in frame {message.frame.number}")

    return judged([answer.frame.number], f'sip.Call-ID == "{answer.call_id}"', faults())


def step_13(story: Story, evidence: Evidence) -> Finding:
    """200 to the REGISTER of step 12; the SAR before it named the partner set."""
    partner = story.partner
    if partner is None or partner.final is None or partner.final.status != 200:
        return absent("no 200 to the REGISTER")
    final = partner.final

    def faults() -> Iterator[str]:
        yield from differs("CSeq", final.cseq, partner.answer.cseq if partner.answer else None)
        private, public = _registered(partner)
        start = partner.answer.frame.number if partner.answer else partner.first.frame.number
        sars = [m for m in _cx(evidence, partner, 301, is_request=True) if start < m.frame.number < final.frame.number]
        mine = [m for m in sars if private in m.text or public in m.text]
        yield from lacks(mine, "no SAR for the partner set between steps 12 and 13")
        for sar in mine:
            yield from differs(f"User-Name of the SAR in frame {sar.frame.number}", sar.value(USER_NAME), private)
            found = sar.value(PUBLIC_IDENTITY)
            yield from differs(f"Public-Identity of the SAR in frame {sar.frame.number}", found, public)

    return judged([final.frame.number], f'sip.Call-ID == "{final.call_id}"', faults())


def step_14(story: Story, evidence: Evidence) -> Finding:
    """A service reaches the UE through the partner's S-CSCF, and the UE answers 200."""
    service, answer = story.service, story.service_answer
    if service is None or answer is None or story.partner is None:
        return absent("no service reached the UE in the partner system")
    system = story.partner.system
    through = [
        m
        for m in evidence.capture.sip
        if m.call_id == service.call_id
        and m.method == service.method
        and evidence.facts.role(m.frame.source) == "scscf"
        and evidence.facts.system_of(m.frame.source) == system
    ]

    def faults() -> Iterator[str]:
        yield from lacks(through, "it did not pass the partner's S-CSCF")
        yield from differs("status", answer.status, 200)

    frames = [*(m.frame.number for m in through), service.frame.number, answer.frame.number]
    return judged(frames, f'sip.Call-ID == "{service.call_id}"', faults(), f"{service.method} and its 200")


def _registered(partner: Registration) -> tuple[str, str]:
    """Return IMPI and IMPU of the first REGISTER."""
    given = digest_parameters(partner.first.header("authorization"))
    return given.get("username", ""), uri_of(partner.first.header("to"))


def _copies(evidence: Evidence, message: SipMessage) -> list[SipMessage]:
    """Return the same message on every SIP leg."""
    return [
        m
        for m in evidence.capture.sip
        if m.call_id == message.call_id and m.cseq == message.cseq and m.status == message.status
    ]


def _cx(evidence: Evidence, partner: Registration, command: int, *, is_request: bool) -> list[DiameterMessage]:
    """Return the messages of one command on AAA-2 of the partner that hold an identity of the registration."""
    private, public = _registered(partner)
    facts = evidence.facts
    return [
        m
        for m in evidence.capture.diameter
        if m.command_code == command
        and m.is_request is is_request
        and leg_of(m.frame, facts) == "aaa-2"
        and facts.system_of(m.frame.source) == partner.system
        and (private in m.text or public in m.text)
    ]


def _same_identities(answer: DiameterMessage, request: DiameterMessage) -> Iterator[str]:
    for code, name in ((USER_NAME, "User-Name"), (PUBLIC_IDENTITY, "Public-Identity")):
        yield from differs(f"{name} of the MAA", answer.value(code), request.value(code))


def _same_item(answer: DiameterMessage, story: Story) -> Iterator[str]:
    wanted = item_of(story.hss.answer if story.hss else None)
    yield from lacks(item_of(answer) == wanted, "the SIP-Auth-Data-Item is not, octet for octet, that of step 7")


def _transaction(hop: Hop) -> str:
    request = hop.request
    return f"diameter.cmd.code == 303 && diameter.hopbyhopid == {request.hop_by_hop:#010x}"


def _path(hop: Hop, evidence: Evidence) -> str:
    """Say whether the two ends speak directly (NOTE 2 and NOTE 3 of 10.6.2)."""
    roles = {evidence.facts.role(hop.request.frame.source), evidence.facts.role(hop.request.frame.destination)}
    return "direct" if roles <= {"proxy", "hss"} else "through agents"
