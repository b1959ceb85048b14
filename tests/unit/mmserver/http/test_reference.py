"""An OpenAPI document as a page."""

from mmserver.http.reference import format_reference

DOCUMENT = {
    "info": {"title": "Server", "description": "What it is."},
    "paths": {
        "/things/{name}": {
            "get": {
                "operationId": "get_thing",
                "tags": ["things"],
                "description": "Return one\nthing.",
                "parameters": [
                    {"name": "name", "in": "path", "schema": {"type": "string"}, "description": "a|b"},
                    {"name": "accept", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                    "204": {"description": "Done"},
                    "404": {
                        "content": {
                            "application/problem+json": {
                                "examples": {"unknown-thing": {"value": {"step": "10.1.X.1-3"}}},
                            }
                        }
                    },
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "description": "A thing.",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "format": "uri"},
                    "size": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                    "kind": {"enum": ["a", "b"]},
                    "one": {"const": "x"},
                    "many": {"type": "array", "items": {"type": "number"}},
                },
            },
            "Kind": {"enum": ["a", "b"]},
        }
    },
}


def test_operations_parameters_answers_and_bodies_are_tables() -> None:
    page = format_reference(DOCUMENT)
    assert page.startswith("# API reference: server\n")
    for line in (
        "### `GET /things/{name}`",
        "`get_thing`. Return one thing.",
        "| `name` | path | string | a\\|b |",
        "| 200 | [Thing](#thing) as `application/json` |",
        "| 204 | Done |",
        "| 404 | `unknown-thing` (10.1.X.1-3) |",
        "| `name` | string (uri) | yes |  |",
        "| `size` | integer or null | default `null` |  |",
        "| `kind` | `a`, `b` |  |  |",
        "| `one` | `x` |  |  |",
        "| `many` | list of number |  |  |",
        "One of `a`, `b`.",
    ):
        assert line in page.splitlines(), line
    assert "accept" not in page
