"""The document that asks for service authorisation."""

import xml.etree.ElementTree as ElementTree

from ue_agent.mcptt_info import mcptt_info


def test_token_and_client_stand_where_annex_f_has_them() -> None:
    """TS 24.379 Annex F.1."""
    root = ElementTree.fromstring(mcptt_info("t<o", "urn:uuid:1"))
    space = "{urn:3gpp:ns:mcpttInfo:1.0}"
    found = [one.findtext(f"{space}mcpttString") for one in root.find(f"{space}mcptt-Params")]
    assert (root.tag, found) == (f"{space}mcpttinfo", ["t<o", "urn:uuid:1"])
