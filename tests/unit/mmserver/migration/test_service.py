"""The OpenAPI description names the operations after the messages (10.1.X.1)."""

from mmserver.migration.service import openapi_document


def test_every_operation_has_a_name_and_documents_its_refusals() -> None:
    document = openapi_document()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert "get_primary_mc_system_sip_identities" in names
    guarded = [operation for operation in operations if operation["tags"] != ["operation"]]
    assert all("application/problem+json" in operation["responses"]["403"]["content"] for operation in guarded)
    assert all("503" in operation["responses"] for operation in guarded)
