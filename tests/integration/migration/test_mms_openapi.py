"""Whatever the OpenAPI document allows or forbids is answered as it says (schemathesis), over real HTTPS."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mmserver.migration.service import openapi_document

schema = schemathesis.openapi.from_dict(openapi_document())
schema.config.phases.coverage.enabled = False  # hundreds of requests an operation; `generate` finds the same here
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


@schema.parametrize()
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: Any, running: tuple[str, Any]) -> None:
    listen, lab = running
    if case.query and "wait_s" in case.query:
        case.query["wait_s"] = 0  # what waits is tested elsewhere
    credentials = lab.credentials("both")
    if not credentials.certificate.exists():
        lab.issue(lab.authority, "cms.mc2.lab", "proxy1.mc2.lab", stem="both")
    case.call_and_validate(
        base_url=f"https://{listen}",
        verify=str(lab.folder / "mc2-ca.pem"),
        cert=(str(credentials.certificate), str(credentials.private_key)),
        checks=CHECKS,
    )
