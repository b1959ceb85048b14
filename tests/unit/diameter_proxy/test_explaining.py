"""What would become of a message, without sending it."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import RTR, UAR
from diameter_proxy.diameter.message import Message
from diameter_proxy.explaining import Explanations, changes_between
from diameter_proxy.hot_path import ORIGIN_HOST, locate, value_at
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.permits import Permit
from diameter_proxy.proxy import Proxy
from diameter_proxy.routing import Source
from diameter_proxy.routing_rules import Rule
from diameter_proxy.settings import Settings

CHANGED = ["Session-Id", "Origin-Host", "Destination-Realm", "Public-Identity", "User-Name", "Server-Name"]
BOB = ("bob@ims.mc2.lab", "sip:bob@ims.mc2.lab")


@pytest.fixture
def explanations(made, wire):
    rules = [Rule("second", ("hss-b.mc2.lab",), identity="zoe*")]
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32)
    neighbours = Neighbours(made.neighbours().by_host.values(), "ims.mc2.lab", rules)
    proxy = Proxy(settings, neighbours, wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
    proxy.identities.set_range("ims.mc2.lab", "mig-")
    proxy.identities.refreshed(1.0)
    proxy.identities.apply(made.lent())
    wire.closed = {"proxy2.mc1.lab"}
    yield Explanations(proxy, lambda: 1.0)
    assert wire.sent == []
    assert proxy.counters.requests == {}


def test_a_mar_of_a_lent_set_is_mapped_and_says_what_changes(explanations, made):
    told = explanations.message("SCSCF.mc2.lab", made.mar())
    assert (told["owner"], told["binding"], told["decision"]) == ("lent", "p", "mapped partner to primary, over CSC-Y")
    assert (told["peers"], told["open"]) == (["proxy1.mc1.lab", "proxy2.mc1.lab"], ["proxy1.mc1.lab"])
    assert set(told["changes"].values()) == {"rewritten"}
    assert list(told["changes"]) == CHANGED
    assert "mig-h" not in str(told)


def test_an_agents_request_goes_to_the_agents_of_the_realm(made, wire):
    rows = [Neighbour(host, "ims.mc1.lab", Source.AGENT) for host in ("edge.mc1.lab", "edge2.mc1.lab")]
    proxy = Proxy(
        Settings("edge.mc2.lab", "ims.mc2.lab", frozenset(), b""),
        Neighbours(rows, "ims.mc2.lab"),
        wire,
        clock=lambda: 1.0,
        wall_clock=lambda: 1.0,
    )
    told = Explanations(proxy, lambda: 1.0).message("edge2.mc1.lab", made.mar(realm="ims.mc1.lab"))
    assert (told["source"], told["peers"], told["rule"]) == ("agent", ["edge.mc1.lab"], None)
    assert told["owner"] is None, "an agent's requests are relayed, whoever they name"


def test_what_a_hidden_peer_sees_otherwise_is_told_by_name(made, wire):
    rows = [Neighbour("dra.mc2.lab", "ims.mc2.lab", Source.AGENT)]
    rows.append(Neighbour("edge.mc1.lab", "ims.mc1.lab", Source.AGENT, hides_names=True))
    hiding = {"hiding_keys": (b"k" * 32,), "hiding_domains": (b"mc2.lab",)}
    settings = Settings("edge.mc2.lab", "ims.mc2.lab", frozenset(), b"", **hiding)
    proxy = Proxy(settings, Neighbours(rows, "ims.mc2.lab"), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
    explanations = Explanations(proxy, lambda: 1.0)
    told = explanations.message("dra.mc2.lab", made.mar(realm="ims.mc1.lab"))
    assert told["hidden"] == {
        "edge.mc1.lab": {"Session-Id": "rewritten", "Origin-Host": "rewritten", "Route-Record": "rewritten"}
    }
    pseudonym = proxy.names.hidden(made.mar())
    name = value_at(pseudonym, locate(pseudonym)[ORIGIN_HOST]).decode()
    told = explanations.message("edge.mc1.lab", made.mar(made.partner, d.DESTINATION_HOST.encode(name)))
    assert (told["restored"], told["peers"]) == ({"Destination-Host": "rewritten"}, ["dra.mc2.lab"])


def test_a_rule_is_named_and_a_relay_changes_nothing(explanations, made):
    told = explanations.message("scscf.mc2.lab", made.mar(("zoe@ims.mc2.lab", "sip:zoe@ims.mc2.lab")))
    assert (told["rule"], told["peers"]) == ("second", ["hss-b.mc2.lab"])
    assert explanations.message("scscf.mc2.lab", made.mar(BOB))["rule"] is None


@pytest.mark.parametrize(
    ("peer", "identities", "command", "text"),
    [
        ("stranger", BOB, None, "no peer of ours"),
        (
            "scscf.mc2.lab",
            ("mig-x@ims.mc2.lab", "sip:mig-x@ims.mc2.lab"),
            None,
            "experimental 5001: identity not bound",
        ),
        ("proxy1.mc1.lab", BOB, UAR, "3001: command not for this peer"),
    ],
)
def test_a_refusal_says_its_code_and_reason(explanations, made, peer, identities, command, text):
    message = made.mar(identities, **({"command": command} if command else {}))
    assert text in explanations.message(peer, message)["refused"]


def test_what_the_peers_allow_list_forbids_is_refused_and_its_rate_is_left_alone(made, wire):
    permit = Permit(lambda: 1.0, commands=frozenset({303}), requests_per_s=1.0, burst=1)
    limits = ("commands = MAR (groups.cscf)", "requests_per_s = 1 (its own row)")
    peers = [Neighbour("scscf.mc2.lab", "ims.mc2.lab", Source.CSCF, permit=permit, limits=limits)]
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32)
    proxy = Proxy(settings, Neighbours(peers, "ims.mc2.lab"), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
    explanations = Explanations(proxy, lambda: 1.0)
    for _ in range(3):
        told = explanations.message("scscf.mc2.lab", made.mar(BOB, command=UAR))
        assert told["refused"] == "3001: command not allowed to this peer"
        assert told["limits"] == list(limits)
        told = explanations.message("scscf.mc2.lab", made.mar(BOB))
        assert ("refused" in told, told["limits"]) == (False, list(limits))
    message = made.mar(BOB)
    assert permit.refusal(303, message, locate(message)) is None, "nothing was taken from the bucket"


def test_what_cannot_be_read_is_refused_as_on_the_wire(explanations, made):
    message = made.mar(BOB, d.USER_NAME.encode("x@ims.mc2.lab"))
    assert explanations.message("scscf.mc2.lab", message)["refused"] == "5009: identity stands twice"
    assert explanations.message("scscf.mc2.lab", made.mar(realm="else"))["refused"] == "3003: realm not served"


def proxy_of(made, wire, **settings):
    fields = {"home_domains": frozenset({b"ims.mc2.lab"}), "secret": b"s" * 32, **settings}
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", **fields)
    return Proxy(settings, made.neighbours(), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)


@pytest.mark.parametrize("peer", ["scscf.mc2.lab", "proxy1.mc1.lab"])
def test_with_no_map_a_lent_identity_is_3002_and_nobody_is_asked(made, wire, peer):
    proxy = proxy_of(made, wire)
    proxy.identities.set_range("ims.mc2.lab", "mig-")
    told = Explanations(proxy, lambda: 1.0).message(peer, made.mar())
    assert (told["map"], "look-up" in told) == ("none read yet: lent identities are answered 3002", False)
    assert told["refused"] == "3002: identity map too old"
    proxy.receive_request(peer, made.mar())
    assert Message.decode(wire.sent[-1][1]).result() == (0, 3002)


def test_a_foreign_identity_goes_along_the_default_route_in_both(made, wire):
    proxy = proxy_of(made, wire, default_route="hss-b.mc2.lab")
    proxy.identities.refreshed(1.0)
    explanations = Explanations(proxy, lambda: 1.0)
    message = made.mar(("bob@other.org", "sip:bob@other.org"))
    told = explanations.message("scscf.mc2.lab", message)
    assert (told["owner"], told["rule"], told["open"]) == ("foreign", "routing.default_route", ["hss-b.mc2.lab"])
    rows = {(row["source"], row["command"], row["owner"]): row for row in explanations.routes()}
    assert rows["cscf", "MAR", "foreign"]["peers"] == ["hss-b.mc2.lab"]
    assert rows["hss", "RTR", "foreign"]["refused"] == "experimental 5001: identity is not this database's"
    proxy.receive_request("scscf.mc2.lab", message)
    assert wire.sent[-1][0] == "hss-b.mc2.lab"


def test_the_hss_as_the_database_of_lent_identities_is_explained_as_it_is_routed(made, wire):
    proxy = proxy_of(made, wire, lent_database=Source.HSS)
    proxy.identities.refreshed(1.0)
    proxy.identities.apply(made.lent())
    message = made.mar(command=RTR, realm="ims.mc2.lab")
    told = Explanations(proxy, lambda: 1.0).message("hss.mc2.lab", message)
    assert (told["owner"], told["decision"]) == ("lent", "to the S-CSCF named by Destination-Host")


def test_an_unbound_identity_is_looked_up_first(explanations, made):
    told = explanations.message("scscf.mc2.lab", made.mar(("mig-x@ims.mc2.lab", "sip:mig-x@ims.mc2.lab")))
    assert "MMS is asked first" in told["look-up"]


def test_changes_are_told_by_name(made):
    before = made.mar(made.partner, d.ROUTE_RECORD.encode("a"))
    after = made.mar(made.primary, d.DESTINATION_HOST.encode("b"))
    told = changes_between(before, after)
    assert (told.pop("Route-Record"), told.pop("Destination-Host")) == ("removed", "added")
    assert told == {"Public-Identity": "rewritten", "User-Name": "rewritten"}


def test_every_row_of_the_table_is_shown(explanations):
    rows = explanations.routes()
    row = next(row for row in rows if (row["source"], row["command"], row["owner"]) == ("cscf", "MAR", "lent"))
    assert row["peers"] == ["proxy1.mc1.lab"]
    assert {row["owner"] for row in rows if row["source"] == "agent"} == {"any"}
    row = next(row for row in rows if (row["source"], row["command"], row["owner"]) == ("cscf", "UAR", "disabled"))
    assert row["refused"] == "experimental 5004: binding disabled"
    assert explanations.pending() == []
