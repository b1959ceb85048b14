"""Cx-User-Data of a lent set: the whole implicit registration set and the agreement's filter criteria.

XML as TS 29.228 Annex E has it, made from text: a document of this size needs no tree.
"""

from xml.sax.saxutils import escape

from mmserver.identity import SipIdentities
from mmserver.migration.config import FilterCriterion


def user_data(identities: SipIdentities, criteria: tuple[FilterCriterion, ...] = ()) -> bytes:
    """Return the IMSSubscription of the set: one service profile with all its IMPUs, none of them barred."""
    impus = "".join(
        f"<PublicIdentity><BarringIndication>0</BarringIndication><Identity>{escape(impu)}</Identity></PublicIdentity>"
        for impu in identities.public_user_identities
    )
    triggers = "".join(_criterion(criterion) for criterion in criteria)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<IMSSubscription><PrivateID>{escape(identities.private_user_identity)}</PrivateID>"
        f"<ServiceProfile>{impus}{triggers}</ServiceProfile></IMSSubscription>"
    ).encode()


def _criterion(criterion: FilterCriterion) -> str:
    # Conjunctive normal form: one group per kind of point, its points are alternatives.
    groups = [
        [f"<Method>{escape(method)}</Method>" for method in criterion.methods],
        [_header(criterion.header, criterion.header_content)] if criterion.header is not None else [],
        [f"<SessionCase>{criterion.session_case}</SessionCase>"] if criterion.session_case is not None else [],
    ]
    points = [
        f"<SPT><ConditionNegated>0</ConditionNegated><Group>{number}</Group>{point}</SPT>"
        for number, group in enumerate(group for group in groups if group)
        for point in group
    ]
    trigger = f"<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>{''.join(points)}</TriggerPoint>" if points else ""
    handling = 0 if criterion.default_handling == "continued" else 1
    return (
        f"<InitialFilterCriteria><Priority>{criterion.priority}</Priority>{trigger}<ApplicationServer>"
        f"<ServerName>{escape(criterion.application_server)}</ServerName>"
        f"<DefaultHandling>{handling}</DefaultHandling>{_extension(criterion)}"
        "</ApplicationServer></InitialFilterCriteria>"
    )


def _header(name: str, content: str | None) -> str:
    inner = f"<Content>{escape(content)}</Content>" if content is not None else ""
    return f"<SIPHeader><Header>{escape(name)}</Header>{inner}</SIPHeader>"


def _extension(criterion: FilterCriterion) -> str:
    request = "<IncludeRegisterRequest/>" if criterion.include_register_request else ""
    response = "<IncludeRegisterResponse/>" if criterion.include_register_response else ""
    return f"<Extension>{request}{response}</Extension>" if request or response else ""
