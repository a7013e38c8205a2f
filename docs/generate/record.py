"""The record reference, from the models that every record is validated by."""

from __future__ import annotations

from typing import Any

from benchmark.records import Record
from docs.generate.docstrings import cell, explained, paragraphs

WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
INTRODUCTION = """# The record

`record.json` describes a finished run: [Record](#record) and what it holds. Made from the models that validate it;
`leaderboard/record.schema.json` is the same as a JSON Schema. The predictions lie beside the record, in the files that
it names by SHA-256: a row for each clip, with its id and the probability of each class, in the order of the protocol's
`classes`. Scores in a record are shares (0.5 is 50 %).
"""


def page() -> str:
    """Every model below `Record`, in the order in which it is met."""
    schema = Record.model_json_schema()
    models: dict[str, Any] = {"Record": schema}
    _collect("Record", schema["$defs"], models)
    return "\n".join([INTRODUCTION, *(_model(name, models[name]) for name in models)])


def _collect(name: str, known: dict[str, Any], found: dict[str, Any]) -> None:
    """Gather what the model's fields refer to, depth first."""
    for referred in _referred(found[name]["properties"]):
        if referred not in found and "properties" in known[referred]:
            found[referred] = known[referred]
            _collect(referred, known, found)


def _referred(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if "$ref" in value else []
        return own + [name for below in value.values() for name in _referred(below)]
    return [name for below in value for name in _referred(below)] if isinstance(value, list) else []


def _model(name: str, model: dict[str, Any]) -> str:
    fields = model["properties"]
    text: list[str] = []
    told: dict[str, str] = {}
    for paragraph in paragraphs(model.get("description", "")):
        plain, own = explained(paragraph, fields)
        text += [plain, ""] if plain else []
        told |= own
    meaning = (" meaning |", "---|") if told else ("", "")
    rows = [
        f"| `{field}` | {cell(_type(value))} |" + (f" {cell(told.get(field, ''))} |" if told else "")
        for field, value in fields.items()
    ]
    return "\n".join(
        [f"## {_title(name)}", "", *text, f"| field | type |{meaning[0]}", f"|---|---|{meaning[1]}", *rows, ""]
    )


def _title(name: str) -> str:
    """The model's name; of a generic one, without the brackets that it is spelled with."""
    return name.strip("_").replace("_", " ").strip()


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{_title(name)}](#{_title(name).lower().replace(' ', '-')})" if name != "JsonValue" else "any JSON"
    if "anyOf" in value:
        return " or ".join(_type(one) for one in value["anyOf"])
    if "const" in value:
        return f"`{value['const']!r}`"
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    if value.get("pattern") == "^[0-9a-f]{64}$":
        return "SHA-256"
    if "prefixItems" in value:
        return "(" + ", ".join(_type(one) for one in value["prefixItems"]) + ")"
    kind = value.get("type", "any JSON")
    if kind == "array":
        return f"list of {_type(value['items'])}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"{_type(value['additionalProperties'])}, by name"
    return WORDS.get(kind, kind)
