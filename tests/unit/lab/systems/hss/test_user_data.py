"""User-Data as XML (TS 29.228 Annex E: order of elements).

Checked once against the schema CxDataType_Rel8 itself; here the order that it wants is asserted.
"""

from lxml import etree

from lab.systems.hss.config import InitialFilterCriterion
from lab.systems.hss.subscribers import IdentitySet, Subscriber
from lab.systems.hss.user_data import encode_user_data
from ue_agent.aka.milenage import Milenage


def make_set(*criteria: InitialFilterCriterion) -> IdentitySet:
    subscriber = Subscriber("alice", Milenage(bytes(16), bytes(16)), b"\x80\0", None, False, criteria)
    return IdentitySet(subscriber, "a&b@ims.mc1.lab", ("sip:alice@ims.mc1.lab", "tel:+123"))


def outline(element: etree._Element) -> object:
    """Return a tree of (tag, text or children)."""
    children = [outline(child) for child in element]
    return (element.tag, children or element.text)


def test_the_whole_implicit_set_goes_out_in_order() -> None:
    root = etree.fromstring(encode_user_data(make_set()))
    assert outline(root) == (
        "IMSSubscription",
        [
            ("PrivateID", "a&b@ims.mc1.lab"),
            (
                "ServiceProfile",
                [
                    ("PublicIdentity", [("BarringIndication", "0"), ("Identity", "sip:alice@ims.mc1.lab")]),
                    ("PublicIdentity", [("BarringIndication", "0"), ("Identity", "tel:+123")]),
                ],
            ),
        ],
    )


def test_a_criterion_with_triggers() -> None:
    criterion = InitialFilterCriterion(
        priority=3, server_name="sip:as.lab;lr", method="MESSAGE", session_case=1, include_register_request=True
    )
    root = etree.fromstring(encode_user_data(make_set(criterion)))
    found = root.find("ServiceProfile/InitialFilterCriteria")
    assert found is not None
    assert outline(found) == (
        "InitialFilterCriteria",
        [
            ("Priority", "3"),
            (
                "TriggerPoint",
                [
                    ("ConditionTypeCNF", "1"),
                    ("SPT", [("ConditionNegated", "0"), ("Group", "0"), ("Method", "MESSAGE")]),
                    ("SPT", [("ConditionNegated", "0"), ("Group", "1"), ("SessionCase", "1")]),
                ],
            ),
            (
                "ApplicationServer",
                [
                    ("ServerName", "sip:as.lab;lr"),
                    ("DefaultHandling", "0"),
                    ("Extension", [("IncludeRegisterRequest", None)]),
                ],
            ),
        ],
    )


def test_a_criterion_without_trigger_holds_always() -> None:
    root = etree.fromstring(encode_user_data(make_set(InitialFilterCriterion(server_name="sip:as.lab"))))
    assert root.find(".//TriggerPoint") is None
    assert root.findtext(".//ServerName") == "sip:as.lab"
