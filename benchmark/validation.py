"""What pydantic finds wrong with a file, in the words of every error here: `file: key: message`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError


def problems_of(error: ValidationError, where: str, model: type[BaseModel], tags: Collection[str] = ()) -> list[str]:
    """A line for each problem, `where` first; where a key is unknown, those that are known there.

    tags: of the model's unions, which pydantic puts between the keys.
    """
    problems = error.errors(include_url=False)
    places = [problem["loc"] for problem in problems]
    lines = []
    for problem, place in zip(problems, places, strict=True):
        # A list that lost a broken entry is called too short as well.
        if problem["type"] == "too_short" and any(
            len(other) > len(place) and other[: len(place)] == place for other in places
        ):
            continue
        keys = [part for part in place if part not in tags]
        unknown = problem["type"] == "extra_forbidden"
        known = f" (known keys: {', '.join(_known_keys(model, keys))})" if unknown else ""
        lines.append(_line(where, keys, problem["msg"]) + known)
    return lines


def problem_of(error: ValidationError, where: str, *inside: str) -> str:
    """The first problem in one line, `where` first, and how many more there are. inside: keys before pydantic's."""
    first, *others = error.errors(include_url=False)
    more = f" (and {len(others)} more)" if others else ""
    return _line(where, (*inside, *first["loc"]), first["msg"]) + more


def _line(where: str, keys: Iterable[int | str], message: str) -> str:
    return ": ".join(filter(None, (where, ".".join(map(str, keys)), message)))


def _known_keys(model: type[BaseModel], keys: list[int | str]) -> list[str]:
    """The keys of what the last of `keys` stands in."""
    for part in keys[:-1]:
        field = next((f for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        nested = _model_in(field.annotation) if field else None
        if nested is None:
            break
        model = nested
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    candidates = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in candidates if model), None)
