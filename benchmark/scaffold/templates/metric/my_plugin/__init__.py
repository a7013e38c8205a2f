"""My plugin: what the benchmark must know of it. Importing this must not import torch."""

from benchmark import hookimpl
from benchmark.specs import MetricSpec

METRIC = MetricSpec(
    name="my-plugin",
    title="My plugin",
    citation="Cohen. A Coefficient of Agreement for Nominal Scales. Educational and Psychological Measurement, 1960.",
    compute="my_plugin.metric:compute",
    input="confusion",
    higher_is_better=True,
)


@hookimpl
def benchmark_metrics() -> list[MetricSpec]:
    """The metrics of this package."""
    return [METRIC]
