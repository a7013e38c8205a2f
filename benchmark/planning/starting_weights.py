"""What is said before a run that does without the weights its methods rest on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from benchmark.registry import registry
from benchmark.specs import NO_PRETRAINING, MethodSpec
from benchmark.units.presets import preset_of_unit
from benchmark.units.unit import Unit


def from_scratch(units: Iterable[Unit]) -> list[str]:
    """One line for all rows that do without the pre-training of their papers, one for each method that is then another.

    Rows with initial weights are left out: what these hold is known only when they are read, see `unfilled`.
    """
    rows = {unit.variant: unit for unit in units if not unit.init and unit.source is None}
    of_method: dict[str, list[str]] = {}
    for name, unit in rows.items():
        of_method.setdefault(unit.method, []).append(name)
    lines = [
        line for method, names in of_method.items() if (line := unfilled(registry().find("methods", method), names, ()))
    ]
    plain = [
        name
        for name, unit in rows.items()
        if not registry().find("methods", unit.method).needs and preset_of_unit(unit).pretraining != NO_PRETRAINING
    ]
    if plain:
        lines.append(
            f"warning: no pre-training: {', '.join(plain)} start{'s' if len(plain) == 1 else ''} from fresh weights, "
            "unlike in the paper; their rows are marked, ranked apart and not compared with it. See `benchmark show "
            "METHOD`; what it names comes with --init"
        )
    return lines


def unfilled(method: MethodSpec, rows: Sequence[str], filled: Collection[str]) -> str:
    """The line to say of rows whose method needs networks that do not start from weights; empty if there are none."""
    missing = {name: what for name, what in method.needs.items() if name not in filled}
    if not missing:
        return ""
    told = "; ".join(f"without weights for '{name}' {what}" for name, what in missing.items())
    return (
        f"warning: {', '.join(rows)}: {told}. Rows are marked, ranked apart and not compared with the paper; give "
        f"{' '.join(f'--init {name}=FILE' for name in missing)}"
    )
