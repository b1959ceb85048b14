"""Server-Name of the primary core (TS 29.228 §6.1.2)."""

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.server_names import ServerNames


def test_what_was_learnt_goes_before_what_is_configured():
    names = ServerNames("sip:s1", entries_max=2)
    assert names.of([b"u"]) == d.SERVER_NAME.encode("sip:s1")
    names.learn(b"u", b"learnt")
    assert names.of([b"x", b"u"]) == b"learnt"
    names.forget(b"u")
    names.forget(b"u")
    assert names.of([b"u"]) == d.SERVER_NAME.encode("sip:s1")


def test_memory_is_bounded_and_the_oldest_goes_first():
    names = ServerNames("", entries_max=2)
    for name in (b"a", b"b", b"a", b"c"):
        names.learn(name, name)
    assert [names.of([name]) for name in (b"a", b"b", b"c")] == [b"a", b"", b"c"]


def test_the_diameter_name_of_the_s_cscf_is_kept_as_long_as_it_serves_the_user():
    names = ServerNames("")
    names.learn(b"u", b"s1", "scscf.mc1.lab")
    names.learn(b"u", b"s1")  # a UAA names the same S-CSCF, not its Origin-Host
    assert names.origin_host_of(b"u") == "scscf.mc1.lab"
    names.learn(b"u", b"s2")
    assert names.origin_host_of(b"u") == names.origin_host_of(b"x") == ""
