"""Text of a TOML document from tables, for files that programs read and people look at.

What the lab writes: strings, numbers, booleans, moments, paths, lists and tables.  A list of tables becomes
``[[name]]``; tables inside other lists are inline.  Nothing else is accepted.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def format_toml(document: Mapping[str, Any]) -> str:
    """Return ``document`` as TOML; a value that is None is left out.

    Raises:
        TypeError: a value is of a kind that the lab does not write.
    """
    return "\n".join(_lines(document, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    nested = {key: value for key, value in table.items() if _is_table(value) or _is_tables(value)}
    for key, value in table.items():
        if key not in nested and value is not None:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in nested.items():
        inner = (*path, _key(key))
        for row in value if _is_tables(value) else [value]:
            if _is_tables(value):
                yield f"\n[[{'.'.join(inner)}]]"
            elif any(not (_is_table(v) or _is_tables(v)) for v in row.values()) or not row:
                yield f"\n[{'.'.join(inner)}]"
            yield from _lines(row, inner)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
    )


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            return value.isoformat()
        case Path() | IPv4Address() | IPv4Network():
            return json.dumps(str(value))
        case Mapping():
            return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + " }"
        case Sequence():
            return "[" + ", ".join(_value(member) for member in value) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is nothing that the lab writes as TOML")
