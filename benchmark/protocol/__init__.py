"""Protocols: versioned YAML that fixes data, split, classes, selection and scores; read, validated and hashed here."""

from benchmark.protocol.model import (
    ALL,
    FramePolicy,
    Grouping,
    HeldOut,
    LabelMap,
    Protocol,
    Selection,
    SplitRule,
    TargetData,
    TrainSubset,
    Windows,
)
from benchmark.protocol.reading import load_protocol, override, taken_over

__all__ = [
    "ALL",
    "FramePolicy",
    "Grouping",
    "HeldOut",
    "LabelMap",
    "Protocol",
    "Selection",
    "SplitRule",
    "TargetData",
    "TrainSubset",
    "Windows",
    "load_protocol",
    "override",
    "taken_over",
]
