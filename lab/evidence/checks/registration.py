"""10.6.2 over HTTP and SIP: steps 1 and 2, and 11 to 14, from the token exchange to a service that reaches the UE."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from lab.evidence.checks.authentication import digest_faults, key_faults, nonce_of
from lab.evidence.checks.finding import Finding, absent, differs, frame_filter, judged, lacks
from lab.evidence.index import PUBLIC_IDENTITY, USER_NAME
from lab.evidence.story import Evidence, Story
from lab.evidence.texts import claims_of, digest_parameters, form_of, uri_of

SAR = 301
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
    """REGISTER with the partner set: AKAv1-MD5, nonce and response empty; the same on every SIP leg.

    A REGISTER that renews a registration may hold the nonce of the challenge before.
    """
    partner = story.partner
    if partner is None:
        return absent("no REGISTER in a partner system")
    given = digest_parameters(partner.first.header("authorization"))
    lent = story.sets.partner
    system = evidence.facts.system(partner.system)
    private, public = partner.identities
    if not lent and not (private.startswith(system.lent_prefix) and private.endswith("@" + system.home_domain)):
        return absent(f"the REGISTER names {private or 'nobody'}, which {partner.system} does not lend")

    def faults() -> Iterator[str]:
        if lent:
            yield from differs("IMPI", private, lent[0])
            yield from lacks(public in lent[1:], f"the IMPU {public} is not of the partner set")
        yield from differs("Request-URI", partner.first.uri, f"sip:{system.home_domain}")
        yield from differs("realm", given.get("realm"), system.home_domain)
        yield from differs("algorithm", given.get("algorithm"), "AKAv1-MD5")
        if not partner.renews:
            yield from differs("nonce and response", (given.get("nonce"), given.get("response")), ("", ""))
        for message in evidence.index.copies_of(partner.first):
            where = f"frame {message.frame.number}"
            same = digest_parameters(message.header("authorization")).get("username") == private
            yield from lacks(same, f"another IMPI in {where}")
            yield from lacks(message.header("to") == partner.first.header("to"), f"another IMPU in {where}")
            yield from lacks(message.header("from") == partner.first.header("from"), f"another From in {where}")

    first = partner.first.frame.number
    return judged([first], f'sip.Call-ID == "{partner.first.call_id}"', faults())


def step_11(story: Story, evidence: Evidence) -> Finding:
    """401: the nonce is RAND and AUTN of the vector, on every SIP leg; no ck and ik toward the UE."""
    partner = story.partner
    if partner is None or partner.challenge is None:
        return absent("no 401 to the UE")
    challenge = partner.challenge
    given = digest_parameters(challenge.header("www-authenticate"))
    nonce = nonce_of(story.hss.answer if story.hss else None)

    def faults() -> Iterator[str]:
        yield from lacks(nonce, "no MAA of the primary's SIP database to compare the nonce with")
        yield from differs("nonce", given.get("nonce"), nonce)
        yield from differs("algorithm", given.get("algorithm"), "AKAv1-MD5")
        yield from differs("realm", given.get("realm"), evidence.facts.system(partner.system).home_domain)
        yield from key_faults(challenge)
        for message in evidence.index.copies_of(challenge):
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
    if given.get("auts"):
        return absent("the UE asked for resynchronisation and did not answer")

    def faults() -> Iterator[str]:
        maa = story.hss.answer if story.hss else None
        yield from lacks(maa is not None, "no MAA of the primary's SIP database to compare the response with")
        yield from digest_faults(answer, maa)
        yield from differs("nonce", given.get("nonce"), nonce_of(maa))
        yield from differs("IMPI", given.get("username"), partner.identities[0])
        yield from differs("realm", given.get("realm"), evidence.facts.system(partner.system).home_domain)
        for message in evidence.index.copies_of(answer):
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
        private, public = partner.identities
        start = partner.answer.frame.number if partner.answer else partner.first.frame.number
        sars = [
            m
            for m in evidence.index.requests_for(SAR, (private, public), start, final.frame.number)
            if evidence.index.leg(m) == "aaa-2" and evidence.facts.system_of(m.frame.source) == partner.system
        ]
        yield from lacks(sars, "no SAR for the partner set between steps 12 and 13")
        for sar in sars:
            where = f"of the SAR in frame {sar.frame.number}"
            yield from differs(f"User-Name {where}", sar.value(USER_NAME), private)
            yield from differs(f"Public-Identity {where}", sar.value(PUBLIC_IDENTITY), public)
            answer = evidence.index.answer_to(sar)
            yield from differs(f"answer {where}", answer.result_code if answer else None, SUCCESS)

    return judged([final.frame.number], f'sip.Call-ID == "{final.call_id}"', faults())


def step_14(story: Story, evidence: Evidence) -> Finding:
    """A service reaches the UE through the partner's S-CSCF, and the UE answers 200."""
    service, answer = story.service, story.service_answer
    if service is None or answer is None or story.partner is None:
        return absent("no service reached the UE in the partner system")
    system = story.partner.system
    through = [
        m
        for m in evidence.index.call(service.call_id)
        if m.method == service.method
        and evidence.facts.role(m.frame.source) == "scscf"
        and evidence.facts.system_of(m.frame.source) == system
    ]

    def faults() -> Iterator[str]:
        yield from lacks(through, "it did not pass the partner's S-CSCF")
        yield from differs("status", answer.status, 200)
        named = (uri_of(service.header("to")), service.uri.split(";")[0])
        known = story.sets.partner or (story.partner.identities[1] if story.partner else "",)
        users = {identity.removeprefix("sip:").partition("@")[0] for identity in known}
        reached = named[0] in known or named[1].removeprefix("sip:").partition("@")[0] in users
        yield from lacks(reached, f"it was for {named[0]}, not for the partner set")

    frames = [*(m.frame.number for m in through), service.frame.number, answer.frame.number]
    return judged(frames, f'sip.Call-ID == "{service.call_id}"', faults(), f"{service.method} and its 200")
