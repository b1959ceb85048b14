"""The configuration management client: get partner MC system connection details over CSC-4 (10.1.X.1 steps 1, 13).

One operation.  What refuses comes back as problem details (RFC 9457) that name the step.
"""

from pydantic import ValidationError

from mmserver.messages import ConnectionDetailsRequest, ConnectionDetailsResponse, Problem
from ue_agent.errors import HttpError, StepRefused
from ue_agent.https import Answer, HttpsClient

OPERATION = "/csc-4/v1/partner-mc-system-connection-details"


async def get_partner_mc_system_connection_details(
    https: HttpsClient, cms: str, access_token: str | None, request: ConnectionDetailsRequest
) -> ConnectionDetailsResponse:
    """Send step 1 to the CMS of the primary MC system and return step 13.

    Raises:
        StepRefused: a step refused; the problem says which and why.
        HttpError: the CMS could not be asked, or its answer is none.
    """
    text = request.model_dump_json(exclude_none=True)
    answer = await https.post_json(cms.rstrip("/") + OPERATION, text, access_token)
    if answer.status != 200:
        raise _refusal(answer)
    try:
        response = ConnectionDetailsResponse.model_validate_json(answer.body)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise HttpError(f"the connection details are not valid: {where}: {fault['msg']}") from exc
    if response.initial_ue_configuration.mc_system != response.partner_mc_system:
        raise HttpError("the initial UE configuration is not of the partner MC system that was chosen")
    return response


def _refusal(answer: Answer) -> StepRefused:
    try:
        problem = Problem.model_validate({"status": answer.status, **answer.json_object()})
    except (HttpError, ValidationError):
        return StepRefused(answer.status, "about:blank", f"HTTP status {answer.status}", "", None)
    return StepRefused(
        answer.status, problem.type[:200], problem.title[:200], problem.detail[:2000], (problem.step or "")[:40] or None
    )
