"""Package layout: which source folders become which parts of two import packages (the rest is in pyproject.toml)."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["benchmark", "benchmark.*"]),
        "benchmark.literature",
        "benchmark.protocols",
        "benchmark.sweeps",
        "benchmark_plugins",
        *(f"benchmark_plugins.{name}" for name in find_packages("plugins")),
    ],
    package_dir={
        "benchmark.literature": "leaderboard/reported",
        "benchmark.protocols": "protocols",
        "benchmark.sweeps": "sweeps",
        "benchmark_plugins": "plugins",
    },
    package_data={
        "benchmark.leaderboard": ["site/*"],
        "benchmark.literature": ["*.yaml"],
        "benchmark.protocols": ["*.yaml", "facts/*.json", "groupings/*.yaml", "maps/*.yaml"],
        "benchmark.sweeps": ["*.yaml"],
        "benchmark_plugins": ["README.md", "*/README.md", "*/LICENSE.txt", "*/*.safetensors", "*/*.svg", "*/*.xz"],
    },
)
