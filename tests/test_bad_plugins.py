"""Bad plugins, more than thirty kinds of them: each is named with the reason, and costs only itself."""

from __future__ import annotations

import json
import os
import textwrap

import pytest

from tests.conftest import benchmark

HEAD = """
from pathlib import Path
from benchmark import hookimpl
from benchmark.specs import *
PRESET = Preset(size=32, sampling=Sampling(8), epochs=1, batch_size=2)
METHOD = dict(name=NAME, title="T", citation="C", licence="L", recipe=NAME + ":recipe", presets={"paper": PRESET},
    official_evaluation="none")
AUGMENT = dict(name=NAME, title="T", citation="C", touches=frozenset({"pixels"}), build=NAME + ":build")
LAYOUT = dict(name=NAME, title="T", citation="C", licence="L", obtain="O", tree="T", classes=(),
    frame_sources=("path",), find=NAME + ":find", read=NAME + ":read", synthesize=NAME + ":make", lists=())
METRIC = dict(name=NAME, title="T", citation="C", compute=NAME + ":f")
"""


def hook(kind: str, body: str) -> str:
    return f"@hookimpl\ndef benchmark_{kind}():\n    {body}\n"


def method(**changes: str) -> str:
    given = ", ".join(f"{key}={value}" for key, value in changes.items())
    return hook("methods", f"return [MethodSpec(**{{**METHOD, **dict({given})}})]")


def preset(**changes: str) -> str:
    given = ", ".join(f"{key}={value}" for key, value in changes.items())
    return method(presets=f"{{'paper': Preset(**{{**vars(PRESET), **dict({given})}})}}")


# What the plugin's module holds, and what must be said of it.
BAD = {
    "missing-import": ("import no_such_package", "No module named 'no_such_package'"),
    "syntax": ("def (", "SyntaxError"),
    "system-exit": ("raise SystemExit(0)", "cannot be imported: SystemExit: 0"),
    "keyboard-interrupt": ("raise KeyboardInterrupt", "cannot be imported: KeyboardInterrupt"),
    "base-exception": ("class Odd(BaseException): pass\nraise Odd('mine')", "Odd: mine"),
    "generator-of-nothing-readable": (
        "raise type('E', (Exception,), {'__str__': lambda s: 1 / 0})()",
        "cannot be shown",
    ),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "memory": ("raise MemoryError", "cannot be imported"),
    "missing-file": ("open('/no/such/licence')", "FileNotFoundError"),
    "prints": ("print('hello from a plugin')\nraise ValueError('after printing')", "ValueError: after printing"),
    "two-line-message": ("raise ValueError('one\\ntwo')", "ValueError: one two"),
    "misspelt-hook": ("@hookimpl\ndef benchmark_metods(): return []", "benchmark_metods"),
    "hook-argument": ("@hookimpl\ndef benchmark_methods(config): return []", "does not fit the hooks"),
    "hook-raises": (hook("methods", "raise RuntimeError('no licence')"), "benchmark_methods failed: RuntimeError"),
    "hook-exits": (hook("metrics", "raise SystemExit"), "benchmark_metrics failed: SystemExit"),
    "hook-interrupts": (hook("datasets", "raise KeyboardInterrupt"), "benchmark_datasets failed: KeyboardInterrupt"),
    "hook-gives-a-number": (hook("metrics", "return 7"), "benchmark_metrics failed: TypeError"),
    "hook-gives-text": (hook("metrics", "return 'kappa'"), "returned str, expected MetricSpec"),
    "hook-breaks-off": (
        hook("methods", "yield MethodSpec(**METHOD)\n    raise ValueError('late')"),
        "ValueError: late",
    ),
    "hook-never-ends": (hook("methods", "while True: yield MethodSpec(**METHOD)"), "more than 1000"),
    "wrong-spec": (hook("methods", "return [MetricSpec(**METRIC)]"), "returned MetricSpec, expected MethodSpec"),
    "not-a-spec": (hook("methods", "return [{'name': 'x'}]"), "returned dict, expected MethodSpec"),
    "spec-without-values": (hook("methods", "return [MethodSpec(name='x')]"), "benchmark_methods failed: TypeError"),
    "subclass": (
        "class Mine(MethodSpec):\n    @property\n    def name(self): raise SystemExit\n"
        + hook("methods", "return [Mine.__new__(Mine)]"),
        "returned Mine, expected MethodSpec",
    ),
    "half-made": (hook("methods", "return [MethodSpec.__new__(MethodSpec)]"), "cannot be looked at: AttributeError"),
    "no-presets": (method(presets="{}"), "presets: must have at least one preset"),
    "presets-as-list": (method(presets="[PRESET]"), "presets: must be a dict"),
    "preset-is-no-preset": (method(presets="{'paper': 3}"), "presets.paper: must be a Preset"),
    "no-epochs": (preset(epochs="0"), "presets.paper.epochs: must be at least 1"),
    "size-as-text": (preset(size="'32'"), "presets.paper.size: must be a whole number, not '32'"),
    "batch-as-fraction": (preset(batch_size="2.5"), "presets.paper.batch_size: must be a whole number"),
    "two-means": (preset(mean="(0.0, 0.0)"), "mean: must have 3 values"),
    "no-spread": (preset(std="(0.0, 1.0, 1.0)"), "std[0]: must be above 0"),
    "label-mode": (method(label_modes="('harsh',)"), "label_modes[0]: must be one of 'hard', 'soft', not 'harsh'"),
    "no-label-mode": (method(label_modes="()"), "label_modes: must name at least one"),
    "name-is-a-number": (method(name="7"), "name: must be text, not 7"),
    "name-is-a-path": (method(name="'../x'"), "name: must be letters"),
    "name-is-empty": (method(name="''"), "name: must be letters"),
    "name-is-taken": (method(name="'tsm'"), "method 'tsm' is already provided by 'built-in', which is kept"),
    "recipe-is-a-function": (method(recipe="print"), "recipe: must be text"),
    "recipe-is-no-path": (method(recipe="'recipe'"), "recipe: must be an import path"),
    "version-is-a-number": (method(version="1"), "version: must be text, not 1"),
    "network-is-no-network": (method(networks="{'model': 'x'}"), "networks.model: must be a Network"),
    "touches-anything": (
        hook("augmentations", "return [AugmentationSpec(**{**AUGMENT, 'touches': frozenset({'sound'})})]"),
        "must be one of 'frames', 'pixels', 'batch', 'targets', not 'sound'",
    ),
    "option-is-a-list": (
        hook("augmentations", "return [AugmentationSpec(**AUGMENT, options={'sizes': [1, 2]})]"),
        "options.sizes: must be True or False or a whole number",
    ),
    "no-frame-source": (
        hook("datasets", "return [DatasetLayout(**{**LAYOUT, 'frame_sources': ()})]"),
        "frame_sources: must name at least one",
    ),
    "class-twice": (
        hook("datasets", "return [DatasetLayout(**{**LAYOUT, 'classes': ('sad', 'sad')})]"),
        "classes: must name each class once",
    ),
    "metric-input": (hook("metrics", "return [MetricSpec(**METRIC, input='votes')]"), "input: must be one of"),
    "protocol-as-text": (hook("protocols", "return ['p.yaml']"), "returned str, expected Path"),
    "protocol-is-missing": (hook("protocols", "return [Path('/no/such/p1.yaml')]"), "/no/such/p1.yaml: cannot be read"),
    "protocol-is-a-folder": (hook("protocols", "return [Path('/tmp')]"), "/tmp: is a folder, where a file should be"),
    "protocol-is-broken": (
        "broken = Path(__file__).with_name('broken.yaml')\nbroken.write_text('name: [')\n"
        + hook("protocols", "return [broken]"),
        "is not valid YAML",
    ),
}
# Found only where they are used; each names itself there.
BROKEN_LATER = (
    hook(
        "methods",
        "return [MethodSpec(**{**METHOD, 'name': kind, 'recipe': NAME + ':' + kind}) for kind in KINDS]",
    )
    + """
KINDS = ("raises", "exits", "interrupts", "gives_none", "gives_junk", "gives_no_rate", "absent", "prints")
def raises(preset, classes): raise ValueError("no backbone")
def exits(preset, classes): raise SystemExit(0)
def interrupts(preset, classes): raise KeyboardInterrupt
def gives_none(preset, classes): return None
def gives_junk(preset, classes): return Recipe({}, "NCHW", [], [], "adam", [])
def gives_no_rate(preset, classes): return Recipe({}, "NCHW", [], [], {"optimizer": {"type": "Adam"}}, [])
def prints(preset, classes):
    print("a recipe that talks")
    return Recipe({"type": "NoSuchModel"}, "NCHW", [], [], {"optimizer": {"type": "SGD", "lr": 0.1}}, [])
"""
)
REASONS = {
    "raises": "ValueError: no backbone",
    "exits": "SystemExit: 0",
    "interrupts": "KeyboardInterrupt",
    "gives_none": "gave a NoneType, not a Recipe",
    "gives_junk": "optim_wrapper: must be a dict, not 'adam'",
    "gives_no_rate": "must state the learning rate",
    "absent": "AttributeError",
}


def name_of(kind: str) -> str:
    return "dfer_" + kind.replace("-", "_")


def write(folder, name: str, code: str) -> None:
    (folder / f"{name}.py").write_text(f"NAME = {name!r}\n{HEAD}\n{textwrap.dedent(code)}")
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[benchmark.plugins]\n{name} = {name}\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment in which all of them are installed at once."""
    folder = tmp_path_factory.mktemp("plugins")
    for kind, (code, _) in BAD.items():
        # Where a module is meant to fail in reading, the imports above it may stay.
        write(folder, name_of(kind), code)
    write(folder, "dfer_later", BROKEN_LATER)
    write(folder, "dfer_good", "print('a good plugin that talks')\n" + hook("metrics", "return [MetricSpec(**METRIC)]"))
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def listed(installed):
    return {
        kind: benchmark("list", kind, "--json", env=installed)
        for kind in ("methods", "protocols", "datasets", "metrics", "augmentations", "plugins")
    }


def test_listing_works_beside_all_of_them_and_stdout_is_json_alone(listed):
    assert {done.returncode for done in listed.values()} == {0}
    names = {kind: [entry["name"] for entry in json.loads(listed[kind].stdout)] for kind in listed if kind != "plugins"}
    assert "tsm" in names["methods"]
    assert "dfew-5fold" in names["protocols"]
    assert "dfer_good" in names["metrics"]
    assert not any(name.startswith("dfer_") for name in names["methods"])


@pytest.mark.parametrize("kind", BAD)
def test_each_bad_plugin_is_named_with_the_reason_in_one_line(kind, listed):
    where = "protocols" if kind.startswith("protocol-is") else "methods"
    lines = [line for line in listed[where].stderr.splitlines() if f"plugin '{name_of(kind)}'" in line]
    assert any(BAD[kind][1] in line for line in lines), listed[where].stderr


def test_no_traceback_is_shown_but_with_debug_all_are(installed, listed):
    assert "Traceback" not in "".join(done.stderr for done in listed.values())
    shown = benchmark("list", "methods", "--debug", env=installed).stderr
    assert "Odd: mine" in shown
    assert shown.count("Traceback") > 10


def test_a_method_is_shown_beside_all_of_them(installed):
    done = benchmark("show", "tsm", "--json", env=installed)
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "tsm"


@pytest.mark.parametrize("kind", REASONS)
def test_a_method_whose_recipe_is_broken_is_shown_with_the_reason(kind, installed):
    done = benchmark("show", kind, "--json", env=installed)
    assert done.returncode == 3
    assert json.loads(done.stdout)["name"] == kind
    assert f"error: {kind}, preset paper: dfer_later:{kind}: " in done.stderr.replace("dfer_later: ", "dfer_later:")
    assert REASONS[kind] in done.stderr
    assert "Traceback" not in done.stderr


def test_whoever_asks_for_what_a_broken_plugin_should_have_brought_reads_why_it_is_not_there(installed):
    done = benchmark("run", "--protocol", "dfew-5fold", "--method", "dfer_no_presets", "--demo", env=installed)
    assert done.returncode == 2
    assert "unknown method 'dfer_no_presets'" in done.stderr
    assert "presets: must have at least one preset" in done.stderr


def test_a_run_finishes_its_other_methods_and_its_json_is_whole(installed, synthetic_root, tmp_path):
    methods = [part for name in ("tsm", *REASONS, "prints") for part in ("--method", name)]
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", *methods, "--data-root", synthetic_root, "-o", tmp_path, "--json"),
        *("--folds", "1", "--limit", "8", "--set", "epochs=1", "--set", "size=32", "--set", "batch_size=4"),
        *("--device", "cpu", "--jobs", "1"),
        env=installed,
    )
    assert done.returncode == 1, done.stderr
    records = {record["method"]["name"]: record for record in json.loads(done.stdout)}
    assert len(records["tsm"]["units"]) == 1
    for name, reason in {**REASONS, "prints": "NoSuchModel"}.items():
        (failed,) = records[name]["failed"]
        assert reason in failed["error"]
        (log,) = tmp_path.rglob(f"{name}~*/hard/seed-0/fold-1/log.txt")
        assert "Traceback" in log.read_text()
    assert "Traceback" not in done.stderr
