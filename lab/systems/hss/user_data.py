"""User-Data of an SAA and PPR as XML (TS 29.228 Annex B, Annex E: the schema CxDataType).

Elements stand in the schema's order. One ServiceProfile for the whole implicit registration set, the default public
identity first.
"""

from html import escape

from lab.systems.hss.config import InitialFilterCriterion
from lab.systems.hss.subscribers import IdentitySet


def encode_user_data(identities: IdentitySet) -> bytes:
    """Return the IMSSubscription of a set, UTF-8."""
    profile = "".join(_public_identity(impu) for impu in identities.public_user_identities)
    profile += "".join(_criterion(row) for row in identities.subscriber.ifc)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<IMSSubscription>{_element('PrivateID', identities.private_user_identity)}"
        f"<ServiceProfile>{profile}</ServiceProfile></IMSSubscription>"
    )
    return text.encode()


def _public_identity(impu: str) -> str:
    return f"<PublicIdentity><BarringIndication>0</BarringIndication>{_element('Identity', impu)}</PublicIdentity>"


def _criterion(row: InitialFilterCriterion) -> str:
    extension = "<Extension><IncludeRegisterRequest/></Extension>" if row.include_register_request else ""
    server = (
        f"{_element('ServerName', row.server_name)}{_element('DefaultHandling', str(row.default_handling))}{extension}"
    )
    return (
        f"<InitialFilterCriteria>{_element('Priority', str(row.priority))}{_trigger_point(row)}"
        f"<ApplicationServer>{server}</ApplicationServer></InitialFilterCriteria>"
    )


def _trigger_point(row: InitialFilterCriterion) -> str:
    conditions = []
    if row.method is not None:
        conditions.append(_element("Method", row.method))
    if row.session_case is not None:
        conditions.append(_element("SessionCase", str(row.session_case)))
    # Conjunctive normal form: each trigger in a group of its own, all groups must hold (TS 29.228 Annex C).
    triggers = "".join(
        f"<SPT><ConditionNegated>0</ConditionNegated><Group>{group}</Group>{condition}</SPT>"
        for group, condition in enumerate(conditions)
    )
    return f"<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>{triggers}</TriggerPoint>" if triggers else ""


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text, quote=False)}</{name}>"
