"""The table of causes: what each means, how it is found, and its mend, in the words of the program to change.

The order is the order of diagnosis: a cause that brings others about stands before them (docs/doctor.md).
"""

from typing import Final, NamedTuple

from lab.evidence.doctor import authentication, database, peers, servers, services, timing
from lab.evidence.doctor.sign import Rule


class Mend(NamedTuple):
    """What to change: where, and how that program calls it."""

    program: str
    text: str


class Cause(NamedTuple):
    """One cause of a failed registration, or of a service authorisation that was refused."""

    id: str
    meaning: str
    rule: Rule
    mends: tuple[Mend, ...]


# fmt: off
CAUSES: Final = (
    Cause("certificate-mismatch",
          "TLS between two Diameter nodes fails: the certificate is not what the other end expects.",
          peers.certificate_mismatch, (
        Mend("diameter-proxy",
             "issue the certificate ([tls] certificate) for the node's own origin_host as DNS name; name that host"
             " in the partner's [[peers]]; put the CA that signed it in the peer's ca"),
        Mend("freeDiameter",
             "TLS_Cred: a certificate whose CN or DNS name is Identity; TLS_CA: the CA of the other end; "
             "ConnectPeer with the name that it shows"),
    )),
    Cause("peer-not-open", "A CSCF has no open Diameter peer: it answers at once and asks nobody.",
          peers.peer_not_open, (
        Mend("Kamailio",
             'cdp.xml: Peer FQDN, Realm and port as the database has them; Auth id="16777216" vendor="10415"; '
             "kamcmd cdp.list_peers must show I_Open"),
        Mend("PyHSS",
             "config.yaml hss: bind_ip, bind_port, OriginHost, OriginRealm; its CEA must name Cx (16777216, vendor"
             " 10415)"),
        Mend("Open5GS",
             "hss.conf (freeDiameter): Identity, Realm, Port, a ConnectPeer for each CSCF, No_TLS where Kamailio "
             "is the peer"),
        Mend("FHoSS", "DiameterPeerHSS.xml: FQDN, Realm, Acceptor port, AcceptUnknownPeers or a Peer for each CSCF"),
        Mend("diameter-proxy, HSS simulator",
             "a [[peers]] (peers = [...]) entry with the CSCF's Origin-Host: an unknown peer gets 3010; diameter-"
             "proxy peers shows their states"),
    )),
    Cause("realm-not-routed", "A Diameter agent has no way to the realm that was asked for.",
          database.realm_not_routed, (
        Mend("diameter-proxy",
             "proxy.toml: [[peers]] with group = \"partner\" and the realm of the partner's core, on both sides; "
             "diameter-proxy explain shows the route of a message"),
        Mend("freeDiameter", "ConnectPeer to the realm's node with its Realm, or rt_default with the realm"),
        Mend("Kamailio",
             'cdp.xml: Realm name="..." with Route FQDN; modparam cxdx_dest_realm = the realm of the database'),
    )),
    Cause("timer-order",
          "Somebody gave up before the Diameter answer came: its timer is not longer than the next hop's.",
          timing.timer_order, (
        Mend("Kamailio",
             "let timers fall from hop to hop: tm fr_timer of the P-CSCF (12 s) > I-CSCF (9 s) > S-CSCF (6 s) > "
             "cdp TransactionTimeout (2 s)"),
        Mend("diameter-proxy",
             "[budgets]: AAA-2, CSC-Y, HSS, MMS falling, all below cdp's TransactionTimeout; diameter-proxy check "
             "refuses another order"),
        Mend("HSS", "if it took longer than 1 s: look for its database, DNS or disk"),
    )),
    Cause("outage-as-refusal",
          "The database could not be asked, and the UE is told so as a refusal: it will not come again.",
          database.outage_as_refusal, (
        Mend("Kamailio",
             "P-CSCF: turn the 403 of an outage into 504 (kamailio-config/pcscf/route/outage.cfg): its I- and "
             "S-CSCF send 403 'HSS responded with unknown Result Code' on 3002"),
        Mend("then", "mend the outage itself, which is named below"),
    )),
    Cause("server-away", "A server of migration or of authentication, or the link to it, is away.",
          servers.server_away, (
        Mend("mmserver",
             "start it: its last log lines say why it ended; GET /health and /ready of the server named; what listens "
             "on its port"),
        Mend("identity management server", "start it; nobody gets a token, and the CMS no keys, without it"),
        Mend("network",
             "no answer to SYN: a link or a filter; CSC-17 is CMS to CMS, port 443; a UE abroad needs its primary's "
             "CMS and IdMS"),
    )),
    Cause("store-unavailable", "A server of migration cannot use its store, and refuses what would have to be kept.",
          servers.store_unavailable, (
        Mend("mmserver",
             "make room on the disk of the store's URL, or start its database; GET /ready says what is missing; "
             "nothing is restarted"),
    )),
    Cause("database-down", "Whoever should answer over Cx is not there or cannot: an agent says so.",
          database.database_down, (
        Mend("HSS", "start it; look at its log and at what listens on its Diameter port"),
        Mend("mmserver", "3004 of the MMS: its store cannot be used (disk full, database gone); GET /ready says which"),
        Mend("diameter-proxy",
             "diameter-proxy peers: the state of the way to the HSS and to the partner; the UE may come again once"
             " it is open"),
    )),
    Cause("database-silent", "A Cx request is taken and never answered.",
          database.database_silent, (
        Mend("HSS", "its program is stuck, or it drops what it cannot read: look at its log, restart it"),
        Mend("Kamailio",
             "cdp drops an answer with an empty AVP (AAACreateAVP: NULL value received): look for it in the "
             "S-CSCF's log"),
        Mend("PyHSS", "its diameter and hss services and Redis must all run"),
    )),
    Cause("binding-not-in-force", "The lent identity has no binding in force: none, disabled, released or expired.",
          database.binding_not_in_force, (
        Mend("mmserver",
             "GET /csc-x/v1/bindings at the partner's MMS shows state and validity; enable it, or let the UE ask "
             "again (10.1.X.1)"),
        Mend("diameter-proxy",
             "a binding that exists and is refused: the feed lags; diameter-proxy peers shows its version and age"),
        Mend("ue-agent", "ue-agent migrate asks for a new binding"),
    )),
    Cause("unknown-user", "The SIP database does not know this private or public identity.",
          database.unknown_user, (
        Mend("PyHSS", "the IMPI must be IMSI@domain; add subscriber, auc and ims_subscriber with that IMSI"),
        Mend("Open5GS", "add the subscriber with that IMSI; the IMPI must be IMSI@ims.mncXXX.mccXXX.3gppnetwork.org"),
        Mend("FHoSS", "create IMSU, IMPI and IMPU and associate them"),
        Mend("UE", "compare IMPI, IMPU and domain of the ISIM with the database, letter by letter"),
    )),
    Cause("identities-dont-match", "Both identities are known, and not to belong together.",
          database.identities_dont_match, (
        Mend("HSS", "associate the IMPU with that IMPI (FHoSS: IMPI, Associated IMPUs)"),
        Mend("Open5GS",
             "it learns the pair from a UAR and forgets it at a restart: a UAR must come before the MAR "
             "(diameter-proxy: hss.prime_with_uar)"),
        Mend("UE", "IMPU in To and IMPI in Authorization must be of one ISIM"),
    )),
    Cause("identities-missing", "An MAA lacks the identities under which the S-CSCF keeps the vector.",
          database.identities_missing, (
        Mend("HSS",
             "every MAA, errors too, must carry User-Name and Public-Identity as they were asked (TS 29.228 table "
             "6.3.2)"),
        Mend("Diameter agent",
             "put back into the MAA what was changed in the MAR; python-diameter's MAA has no User-Name"),
    )),
    Cause("empty-scscf-list", "The I-CSCF finds no S-CSCF for the user.",
          database.empty_scscf_list, (
        Mend("Kamailio",
             "I-CSCF tables s_cscf and s_cscf_capabilities: the S-CSCF's URI, and a row for each capability that "
             "the database asks for"),
        Mend("Open5GS, PyHSS",
             "set the S-CSCF's name (PyHSS: scscf_pool in config.yaml), or update: an early Open5GS sends no "
             "Server-Capabilities"),
        Mend("FHoSS", "IMSU: preferred S-CSCF set and capability set"),
        Mend("HSS simulator", "[hss] scscf"),
    )),
    Cause("assignment-refused", "The user is authenticated, and the database refuses to store the S-CSCF.",
          database.assignment_refused, (
        Mend("HSS",
             "another S-CSCF is stored for the user, or the profile is not whole: clear scscf_name, complete the "
             "profile"),
        Mend("PyHSS", "a SAR for a user whom it does not know is answered 5005: see unknown-user"),
    )),
    Cause("algorithm-missing",
          "The first REGISTER names no algorithm, and the core takes MD5, which no ISIM can answer.",
          authentication.algorithm_missing, (
        Mend("UE",
             "send an empty Authorization with algorithm=AKAv1-MD5 in the first REGISTER (pjsua2: "
             "authInitialEmpty, authInitialAlgorithm)"),
        Mend("Kamailio",
             'S-CSCF: ims_www_challenge(..., "AKAv1-MD5") whatever the UE says; registration_default_algorithm '
             "AKAv1-MD5"),
    )),
    Cause("md5-chosen", "The core challenges with something else than AKA, though the UE asked for AKA.",
          authentication.md5_chosen, (
        Mend("Kamailio",
             'S-CSCF: ims_www_challenge(..., "AKAv1-MD5"), modparam ims_auth registration_default_algorithm '
             '"AKAv1-MD5"'),
        Mend("FHoSS", "IMPI: authentication scheme Digest-AKAv1-MD5, default too"),
    )),
    Cause("resynchronisation-loops", "The UE's AUTS changes nothing: the next vector is out of range again.",
          authentication.resynchronisation_loops, (
        Mend("HSS",
             "K and AMF for resynchronisation must be right, and SQN be set from AUTS; raise SQN by hand once "
             "(above the ISIM's)"),
        Mend("PyHSS",
             "auc: sqn; Open5GS: mongo security.sqn; FHoSS: IMPI SQN, and scscf_name must equal the Server-Name of"
             " the MAR"),
        Mend("Kamailio",
             "S-CSCF: on return code -9 of ims_www_authenticate call ims_www_resync_auth and challenge again"),
        Mend("VectorCore HSS", "its Cx ignores SIP-Authorization: AUTS never helps"),
    )),
    Cause("ue-rejects-network",
          "The ISIM rejects the network: K or OPc differ between ISIM and HSS, often OP where OPc belongs.",
          authentication.ue_rejects_network, (
        Mend("UE", "K and OPc of the ISIM; ue-agent takes OPc, not OP; ue-agent isim --rand --autn tries a challenge"),
        Mend("PyHSS", "auc: ki, opc (OPc, never OP), amf"),
        Mend("Open5GS", "subscriber: K, and USIM type OPc or OP as the value is"),
        Mend("FHoSS", "IMPI: Secret Key, and OP or OPc in the right field; AMF 8000"),
        Mend("capture", "if it ends right there, capture for longer: the answer may have come after it"),
    )),
    Cause("wrong-response", "The UE answers, and its response is not what the database expects.",
          authentication.wrong_response, (
        Mend("UE", "its ISIM does not check AUTN, and its K or OPc differ from the HSS's; pjsip takes OP, not OPc"),
        Mend("HSS", "compare K and OPc; XRES must be 4 to 16 octets, unchanged on every hop"),
        Mend("Kamailio",
             "realm of ims_www_authenticate must be the one in the challenge; AKAv2 is not computed (no RFC 4169)"),
    )),
    Cause("cscf-silent", "A CSCF takes a REGISTER, and nothing comes of it.",
          peers.cscf_silent, (
        Mend("Kamailio",
             "start it; look at its log; listen= must have the address and transport that the REGISTER came to"),
        Mend("network", "ICMP port unreachable beside it: nothing listens there; else a filter or a route"),
    )),
    Cause("mc-service-silent", "An MC service server takes a third-party REGISTER, and nothing comes of it.",
          services.mc_service_silent, (
        Mend("MC service server", "start it; it must listen where ServerName of the initial filter criteria says"),
        Mend("network", "ICMP port unreachable beside it: nothing listens there; else a filter or a route"),
    )),
    Cause("idms-unreachable",
          "The MC service server cannot have the identity management server's keys: it judges no access token.",
          services.idms_unreachable, (
        Mend("identity management server",
             "start it; its issuer plus /.well-known/openid-configuration and the jwks_uri in it must answer 200"),
        Mend("MC service server", "issuer and ca: the IdMS of its own system, and who signed that one's certificate"),
    )),
    Cause("access-token-missing", "No access token reaches the MC service server, and it wants one.",
          services.access_token_missing, (
        Mend("UE",
             "REGISTER must carry application/vnd.3gpp.mcptt-info+xml with mcptt-access-token (TS 24.379 clause "
             "7.2.1; ue-agent: register with service_authorisation)"),
        Mend("S-CSCF",
             "the third-party REGISTER must carry the UE's REGISTER as message/sip: IncludeRegisterRequest in the "
             "initial filter criteria (Kamailio: kamailio-config/scscf/route/isc.cfg)"),
    )),
    Cause("access-token-issuer", "The access token is of another system's identity management server.",
          services.access_token_issuer, (
        Mend("UE",
             "authenticate in the partner system before REGISTER (10.6.2 step 1) and take that token, not the one "
             "of the home"),
        Mend("MC service server", "issuer: the IdMS of its own system"),
    )),
    Cause("access-token-audience", "The access token is for another server.",
          services.access_token_audience, (
        Mend("identity management server", "[system] audiences must list the MC service server's host name"),
        Mend("MC service server", "name: the one that tokens are for"),
    )),
    Cause("access-token-expired", "The access token's time is over.",
          services.access_token_expired, (
        Mend("UE", "take a new access token (refresh token, or 10.6.2 step 1 again) before it registers"),
        Mend("identity management server", "[lifetimes] access_token_s; and look at the clocks of both hosts"),
    )),
    Cause("mc-service-id-refused",
          "The access token's MC service ID is missing or not served; all else of the token is right.",
          services.mc_service_id_refused, (
        Mend("MC service server", "mc_service_ids must list it, or be left out; its clock must not be ahead"),
        Mend("identity management server",
             "users: mc_service_ids; [[partners]] mc_service_id_mapping and mc_service_ids say which ID a partner's "
             "user gets (claim mcptt_id)"),
        Mend("keys", "an IdMS that was given a new key signs what the server cannot verify until it asks again"),
    )),
)
# fmt: on

UNEXPLAINED: Final = "unexplained"


def cause_named(identifier: str) -> Cause:
    """Return a cause.

    Raises:
        KeyError: there is none of that name.
    """
    return {cause.id: cause for cause in CAUSES}[identifier]
