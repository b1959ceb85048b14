"""An OpenAPI document as a page of documentation: operations, who they answer with, and the bodies' members."""

import json
from collections.abc import Iterator
from typing import Any, Final

_METHODS: Final = ("get", "put", "post", "delete")
_PREFIX: Final = "#/components/schemas/"


def format_reference(document: dict[str, Any]) -> str:
    """Return the page in Markdown."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"# API reference: {info['title'][0].lower()}{info['title'][1:]}"
    yield ""
    yield "Generated from the program's OpenAPI description; do not edit."
    yield f"{info.get('description', '')}".strip()
    for tag, operations in _by_tag(document).items():
        yield ""
        yield f"## {tag}"
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
    yield ""
    yield "## Bodies"
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        yield from _body(name, schema)


def _by_tag(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                tag = item[method].get("tags", ["operation"])[0]
                found.setdefault(tag, []).append((method.upper(), path, item[method]))
    return found


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"### `{method} {path}`"
    yield ""
    yield f"`{operation['operationId']}`. " + " ".join(operation.get("description", "").split())
    parameters = [one for one in operation.get("parameters", []) if one["in"] in ("query", "path")]
    if parameters:
        yield ""
        yield "| parameter | in | type | what |"
        yield "|---|---|---|---|"
        for one in parameters:
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {_text(one.get('description', ''))} |"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        yield ""
        yield f"Body: {_type(body)}."
    yield ""
    yield "| status | answer |"
    yield "|---|---|"
    for status, response in sorted(operation["responses"].items()):
        yield f"| {status} | {_answer(response)} |"


def _answer(response: dict[str, Any]) -> str:
    problems: list[str] = []
    bodies: list[str] = []
    for media_type, content in response.get("content", {}).items():
        for name, example in content.get("examples", {}).items():
            step = example.get("value", {}).get("step")
            problems.append(f"`{name.removesuffix(f'-{step}')}`" + (f" ({step})" if step else ""))
        if media_type != "application/problem+json":
            bodies.append(f"{_type(content.get('schema', {}))} as `{media_type}`")
    return ", ".join(problems or bodies) or _text(response.get("description", "")) or "nothing"


def _body(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"### {name}"
    yield ""
    yield _text(schema.get("description", "")) or "A value."
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + "."
    if not schema.get("properties"):
        return
    required = set(schema.get("required", ()))
    yield ""
    yield "| member | type | required | what |"
    yield "|---|---|---|---|"
    for member, one in schema["properties"].items():
        needed = "yes" if member in required else f"default `{json.dumps(one['default'])}`" if "default" in one else ""
        yield f"| `{member}` | {_type(one)} | {needed} | {_text(one.get('description', ''))} |"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_PREFIX)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_type(items)}" if items else "list"
    text = str(schema.get("type", "anything"))
    return f"{text} ({schema['format']})" if "format" in schema else text


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
