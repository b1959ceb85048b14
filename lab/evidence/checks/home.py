"""10.6.1, steps 1 to 3: user authentication and registration in the primary MC system."""

from collections.abc import Iterator

from lab.evidence.checks.authentication import digest_faults, key_faults, nonce_of, one_aka_item
from lab.evidence.checks.finding import Finding, absent, differs, frame_filter, http_filter, judged, lacks
from lab.evidence.index import PUBLIC_IDENTITY, USER_NAME
from lab.evidence.story import Evidence, Story
from lab.evidence.texts import claims_of, digest_parameters, uri_of


def step_1(story: Story, evidence: Evidence) -> Finding:
    """The user authenticates at the identity management server and gets an access token."""
    login = story.authentication
    if login is None or login.status != 200:
        return absent("no user authentication at the primary identity management server")
    token = str(login.answer().get("access_token", ""))

    def faults() -> Iterator[str]:
        yield from lacks(claims_of(token), "no access token in the answer")
        issuer = str(claims_of(token).get("iss", ""))
        host = evidence.facts.hosts.get(login.request.frame.destination, "?")
        yield from lacks(host in issuer, f"issuer {issuer!r} is not {host}")

    order = _order(story)
    return judged(login.frames, http_filter(login), faults(), order)


def step_2(story: Story, evidence: Evidence) -> Finding:
    """The UE is challenged with IMS-AKA: REGISTER of the ISIM's identity, MAR to the HSS, 401 with its nonce."""
    home, hop = story.home, story.home_mar
    if home is None:
        return absent("no REGISTER in the primary system")
    given = digest_parameters(home.first.header("authorization"))
    system = evidence.facts.system(story.ue.system)

    def faults() -> Iterator[str]:
        yield from differs("IMPI", given.get("username"), story.ue.private_user_identity)
        public = uri_of(home.first.header("to"))
        yield from lacks(public in story.ue.public_user_identities, f"IMPU {public} is not of the ISIM")
        yield from differs("algorithm", given.get("algorithm"), "AKAv1-MD5")
        if not home.renews:
            yield from differs("first nonce and response", (given.get("nonce"), given.get("response")), ("", ""))
        yield from lacks(hop is not None and hop.answer is not None, "no MAR and MAA for it")
        if hop is not None and hop.answer is not None:
            yield from differs("User-Name of the MAR", hop.request.value(USER_NAME), story.ue.private_user_identity)
            yield from differs("Public-Identity of the MAR", hop.request.value(PUBLIC_IDENTITY), public)
            yield from one_aka_item(hop.answer)
        yield from lacks(home.challenge is not None, "no 401")
        if home.challenge is not None:
            challenge = digest_parameters(home.challenge.header("www-authenticate"))
            yield from differs("nonce of the 401", challenge.get("nonce"), nonce_of(hop.answer if hop else None))
            yield from differs("realm", challenge.get("realm"), system.home_domain)
            yield from key_faults(home.challenge)

    frames = [
        home.first.frame.number,
        *((hop.request.frame.number, hop.answer.frame.number) if hop and hop.answer else ()),
        home.challenge.frame.number if home.challenge else None,
    ]
    return judged(frames, frame_filter(frames), faults())


def step_3(story: Story, evidence: Evidence) -> Finding:
    """The registration completes: a REGISTER with the digest made from RES, and 200."""
    home = story.home
    if home is None or home.final is None or home.final.status != 200:
        return absent("no 200 to a REGISTER in the primary system")
    final, answer = home.final, home.answer

    def faults() -> Iterator[str]:
        yield from lacks(answer is not None, "200 without a challenge")
        if answer is not None:
            yield from digest_faults(answer, story.home_mar.answer if story.home_mar else None)
            yield from differs("CSeq of the 200", final.cseq, answer.cseq)

    frames = [answer.frame.number if answer else None, final.frame.number]
    return judged(frames, f'sip.Call-ID == "{final.call_id}"', faults())


def _order(story: Story) -> str:
    if story.home is None or story.authentication is None:
        return ""
    before = story.authentication.request.frame.number < story.home.first.frame.number
    return f"{story.ue.name}: step 1 {'before' if before else 'after'} step 3"
