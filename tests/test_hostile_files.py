"""Files that could hurt: through every command that reads them nothing runs, nothing hangs, nothing blows up.

WEIGHTS, LISTS and SETTINGS are the hostile kinds; what each must be told is beside it. All go through the commands in
one process of its own (see `through_all_commands`), which measures the processor time and the memory of each.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import pickle
import re
import resource
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml

SECONDS, BYTES = 10, 2**30


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def archive(path, description, parts=(), compression=zipfile.ZIP_STORED):
    """A zip archive like torch's, around a description of the caller's."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for part, content in (("data.pkl", description), ("version", b"3\n"), *parts):
            file.writestr(f"archive/{part}", content)


def storage(count, kind="FloatStorage", key="0"):
    """A reference to `count` values of the part data/<key>."""
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + b"tQ"


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def tensor(values, shape, strides):
    sizes, steps = (b"(" + b"".join(map(number, each)) + b"t" for each in (shape, strides))
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    return call(rebuild, values, number(0), sizes, steps, b"\x89", call(name("collections", "OrderedDict")))


def state(*entries):
    """The description of a state dict, whose entries are (name, description of a tensor)."""
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in entries) + b"u."


WEIGHT = ("weight", tensor(storage(1), (1,), (1,)))
ONE = [("data/0", struct.pack("<f", 1))]


class Runs:
    """Pickled, it would run a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def saved(content, zipped=True):
    def make(path, trace):
        import torch

        torch.save(content(trace), path, _use_new_zipfile_serialization=zipped)

    return make


def described(description, parts=ONE, **options):
    return lambda path, trace: archive(path, description, parts, **options)


def written(content):
    return lambda path, trace=None: path.write_bytes(content)


def through_the_logs(trace):
    """MMEngine's buffer and getattr lead to sys.modules, to torch's own list of what may run, and so to everything."""
    get, buffer = name("builtins", "getattr"), name("mmengine.logging.history_buffer", "HistoryBuffer")

    def attribute(of, what):
        return call(get, of, text(what))

    around = attribute(attribute(buffer, "mean"), "__globals__")
    modules = attribute(attribute(buffer + b")\x81" + around + b"b", "warnings"), "sys")
    every = buffer + b")\x81" + attribute(modules, "modules") + b"bq\x01"
    reader = attribute(attribute(b"h\x01", "torch._weights_only_unpickler"), "__dict__")
    system = attribute(attribute(b"h\x01", "os"), "system")
    allowed = attribute(b"}" + text("x") + system + b"q\x02s", "copy")
    planted = reader + text("_get_user_allowed_globals") + allowed + b"s"
    return b"\x80\x02(" + every + planted + call(b"h\x02", text(f"touch {trace}")) + b"t."


def config_that_runs(path, trace):
    """MMEngine runs, as Python, a `config` that it finds in a checkpoint's `meta`."""
    import torch

    meta = {"config": f"import os\nos.system('touch {trace}')", "epoch": 0, "iter": 0, "history": []}
    torch.save({"meta": meta, "message_hub": {}, "state_dict": {"weight": torch.ones(1)}}, path)


def around_itself(*keys):
    def make(path, trace):
        import torch

        content: dict[str, Any] = {"epoch": 1}
        for key in keys:
            content[key] = content
        torch.save(content, path)

    return make


def nested_key(depth):
    return b"\x80\x02})" + b"\x85" * depth + b"Ns."


def script(path, trace):
    import torch

    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)


def overlapping(path, trace):
    archive(path, state(WEIGHT), [*ONE, *((f"more/{n}", bytes(1000)) for n in range(20))])
    whole = bytearray(path.read_bytes())
    # Every entry of the table of contents then claims as much as the file has.
    at = -1
    while (at := whole.find(b"PK\x01\x02", at + 1)) >= 0:
        whole[at + 20 : at + 28] = struct.pack("<II", len(whole), len(whole))
    path.write_bytes(whole)


def never_written(path, trace):
    with open(path, "wb") as file:
        file.truncate(2**40)


def tar(path, trace):
    with tarfile.open(path, "w") as file:
        file.addfile(tarfile.TarInfo("weights.pth"), io.BytesIO())


def safetensors(header, content=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return written(struct.pack("<Q", len(text) if length is None else length) + text + content)


def numbers(value):
    def content(trace):
        import torch

        return {"backbone.weight": torch.full((3,), value)}

    return content


def lazily(make):
    """Content that needs torch, made when it is asked for."""

    def content(trace):
        import torch

        return make(torch)

    return content


LOGS = "holds MMEngine's logs"
ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
WEIGHTS = {
    "a call": (saved(lambda t: {"model": Runs(os.system, f"touch {t}")}), "would run 'posix.system'"),
    "a call, before torch 1.6": (saved(lambda t: [Runs(os.system, f"touch {t}")], False), "would run 'posix.system'"),
    "eval": (saved(lambda t: {"model": Runs(eval, f"open('{t}', 'w')")}), "would run 'builtins.eval'"),
    "getattr": (saved(lambda t: {"model": Runs(getattr, "text", "upper")}), "would run 'builtins.getattr'"),
    "a plain pickle": (lambda p, t: p.write_bytes(pickle.dumps(Runs(os.system, f"touch {t}"), 2)), "posix.system"),
    "a pickle of today": (lambda p, t: p.write_bytes(pickle.dumps(Runs(os.system, f"touch {t}"))), "protocol 4"),
    "a way through MMEngine's logs": (lambda p, t: archive(p, through_the_logs(t)), LOGS),
    "a config that is Python": (config_that_runs, "another model"),
    "a codec": (described(b"\x80\x02" + call(name("_codecs", "encode"), text("x"), text("zlib")) + b"."), "encodes"),
    "a rebuilt object": (described(b"\x80\x02" + name("copyreg", "_reconstructor") + b"."), "copyreg._reconstructor"),
    "a wrapper around itself": (around_itself("model"), "no named tensors"),
    "wrappers around each other": (around_itself("model", "module", "net", "ema", "state_dict"), "no named tensors"),
    "256 MiB in a few kB": (
        described(b"\x80\x02" + b"]" * 2**28 + b".", compression=zipfile.ZIP_DEFLATED),
        "compressed",
    ),
    "a long description": (described(b"\x80\x02" + text("x" * 2**24) + b"."), "16777216 is the limit"),
    "a long description, before torch 1.6": (written(b"\x80\x02" + text("x" * 2**24) + b"."), "longer than"),
    "many entries": (described(b"\x80\x02(" + b"\x8f" * 2**20 + b"t."), "more than 500,000 entries"),
    "a key nested too deep to be hashed": (described(nested_key(400_000)), "neither text nor a number"),
    "a key of a thousand bits": (described(b"\x80\x02}\x8a\x80" + b"\x7f" * 128 + b"Ns."), "neither text nor a number"),
    "colliding keys in a set": (
        described(b"\x80\x02" + call(name("__builtin__", "set"), b"](K\x01\x85K\x02\x85e") + b"."),
        "neither text nor a number",
    ),
    "a tensor larger than its values": (
        described(state(("weight", tensor(storage(1), (10**5,) * 2, (0, 0))))),
        "shape",
    ),
    "more values than the file has": (described(state(("weight", tensor(storage(10**9), (4,), (1,))))), "data/0 has 4"),
    "values that are not there": (described(state(WEIGHT), parts=()), "data/0 has 0 bytes"),
    "the same values for ever": (
        described(
            state(*((f"w{n}", tensor(storage(50_000), (50_000,), (1,))) for n in range(5000))),
            [("data/0", bytes(200_000))],
        ),
        "would make tensors of",
    ),
    "more values than the file has, before torch 1.6": (
        lambda p, t: p.write_bytes(
            pickle.dumps(0x1950A86A20F9469CFC6C, 2)
            + pickle.dumps(1001, 2)
            + pickle.dumps({}, 2)
            + state(("weight", tensor(storage(10**9)[:-2] + b"NtQ", (1,), (1,))))
            + pickle.dumps(["0"], 2)
        ),
        "its tensors need 4000000000 bytes",
    ),
    "sparse tensors": (saved(lazily(lambda torch: {"weight": torch.eye(3).to_sparse()})), "holds sparse tensors"),
    "quantised tensors": (
        saved(lazily(lambda torch: {"weight": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})),
        "quantised tensors",
    ),
    "tensors without values": (
        saved(lazily(lambda torch: {"weight": torch.empty(10**6, 10**6, device="meta")})),
        "tensors without values",
    ),
    "a program": (script, "a TorchScript archive"),
    "a whole model": (saved(lazily(lambda torch: torch.nn.Linear(2, 2))), "a whole pickled model"),
    "an optimiser": (
        saved(lazily(lambda torch: torch.optim.Adam(torch.nn.Linear(1, 1).parameters()).state_dict())),
        "the state of an optimiser; its keys: state, param_groups",
    ),
    "overlapping parts": (overlapping, "overlap"),
    "another zip archive": (lambda p, t: zipfile.ZipFile(p, "w").writestr("arr.npy", b""), "not one of torch's"),
    "NaN": (saved(numbers(float("nan"))), "NaN or infinity (backbone.weight)"),
    "infinity": (saved(numbers(float("inf"))), "NaN or infinity (backbone.weight)"),
    "a header of 8 EiB": (safetensors({"weight": ENTRY}, b"\0" * 4, length=2**62), "cannot be read"),
    "a header of a gigabyte": (safetensors({"weight": ENTRY}, b"\0" * 4, length=2**30), "1073741824 bytes"),
    "a header with other places": (
        safetensors({"w": {**ENTRY, "data_offsets": [0, 2**40]}}, b"\0" * 4),
        "cannot be read",
    ),
    "a header nested without end": (safetensors(b'{"a":' * 10**5), "cannot be read"),
    "a tar archive": (tar, "a tar archive"),
    "a gzip archive": (written(gzip.compress(b"weights")), "a gzip archive"),
    "a web page": (written(b"<!DOCTYPE html><title>Google Drive</title>"), "a web page"),
    "a pointer": (written(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "an index": (written(b'{"weight_map": {}}'), "the index of weights in several files"),
    "nothing": (written(b""), "it is empty"),
    "a terabyte of nothing": (never_written, "never written"),
    "names that steer the terminal": (
        saved(lazily(lambda torch: {"\x1b[2J\x9b31m\u202eweight": torch.ones(1)})),
        "\\x1b[2J\\x9b31m\\u202eweight",
    ),
    "a device": (lambda p, t: p.symlink_to("/dev/zero"), ""),
    "a pipe": (lambda p, t: os.mkfifo(p), ""),
    "a folder": (lambda p, t: p.mkdir(), ""),
}
# A run starts anew where there is no file to resume from.
NO_FILE = ("a device", "a pipe", "a folder")
# Longer commands see those that execute, and one of each way to be refused.
FEW = ("a way through MMEngine's logs", "a config that is Python", "a call", "NaN", "many entries")


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def workbook(part, content):
    """An Excel file of which one part is huge."""

    def make(path):
        import openpyxl

        openpyxl.Workbook().save(path)
        with zipfile.ZipFile(path) as file:
            parts = {entry: file.read(entry) for entry in file.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for entry, data in {**parts, part: content(parts[part])}.items():
                file.writestr(entry, data)

    return make


def aliases(path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path.write_text("\n".join(lines))


def read_protocol(path):
    from benchmark.protocol import load_protocol

    load_protocol(path)


def read_workbook(path):
    from benchmark.datasets.list_files import read_votes_workbook

    list(read_votes_workbook(path, "dfew", "clip", {"happy": "happy"}))


def read_scores(path):
    from benchmark.scoring.predictions import read_predictions

    read_predictions(path, ("happy", "sad"))


def read_any_record(path):
    from benchmark.records import read_record

    read_record(path)


def read_table(path):
    from benchmark.leaderboard.reported import read_table

    read_table(path)


def read_text(path):
    from benchmark.datasets.list_files import read_lines

    read_lines(path, "dfew")


def read_crops(path):
    from benchmark.faces.crops import crops_of

    crops_of(path.parent, ["clip"])


def read_image(path):
    from benchmark.video.frames import open_clip

    open_clip(path).read([0])


def endless_rows(sheet):
    rows = "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 200))
    return re.sub(rb"<sheetData.*?(/>|</sheetData>)", f"<sheetData>{rows}</sheetData>".encode(), sheet)


SHEET = "xl/worksheets/sheet1.xml"
HUGE = gzip.compress(bytes(2**28))
LINES = gzip.compress(b"\n" * 2**26)
CROPS = (
    '{"version": 1, "recipe": {"name": "a", "detector": "haar", "detector_version": 1, "weights": "'
    + "0" * 64
    + '", "size": %d}, "hash": "'
    + "0" * 64
    + '", "made_with": {}, "synthetic": false, "complete": true, "shares": {}}'
)
LISTS = {
    "a laugh in a protocol": ("p.yaml", aliases, read_protocol, "aliases are not read"),
    "a laugh in a quoted table": ("t.yaml", aliases, read_table, "aliases are not read"),
    "a protocol of a megabyte": ("p.yaml", lambda p: p.write_text("a: " + "[" * 2**20), read_protocol, "read up to"),
    "a protocol that is a device": ("p.yaml", lambda p: p.symlink_to("/dev/zero"), read_protocol, "not a regular file"),
    "a workbook of a gigabyte": (
        "w.xlsx",
        workbook(SHEET, lambda s: s.replace(b"<sheetData", b" " * 2**27 + b"<sheetData")),
        read_workbook,
        "are read",
    ),
    "a workbook of endless rows": ("w.xlsx", workbook(SHEET, endless_rows), read_workbook, "more than 1,000,000 cells"),
    "a workbook of styles": (
        "w.xlsx",
        workbook("xl/styles.xml", lambda s: s + bytes(2**22)),
        read_workbook,
        "are read",
    ),
    "predictions of a gigabyte": ("p.csv.gz", written(HUGE), read_scores, "more than"),
    "predictions of empty lines": ("p.csv.gz", written(LINES), read_scores, "the limit"),
    "predictions from a device": ("p.csv.gz", lambda p: p.symlink_to("/dev/zero"), read_scores, "not a regular file"),
    "a record of many brackets": ("r.json", lambda p: p.write_text("[" * 10**6), read_any_record, "not a JSON record"),
    "a record of 20 MB": ("r.json", lambda p: p.write_bytes(b" " * 20_000_000), read_any_record, "are read up to"),
    "a record that is a link": ("r.json", lambda p: p.symlink_to("/etc/passwd"), read_any_record, "symbolic link"),
    "crops of many brackets": ("crops.json", lambda p: p.write_text("[" * 10**6), read_crops, "nested too deeply"),
    "crops from a device": ("crops.json", lambda p: p.symlink_to("/dev/zero"), read_crops, "not a regular file"),
    "crops on a billion pixels": (
        "crops.json",
        lambda p: p.write_text(CROPS % (2**30)),
        read_crops,
        "less than or equal to 1024",
    ),
    "a list of a gigabyte": ("l.txt", lambda p: os.truncate(_touched(p), 2**30), read_text, "never written"),
    "an image of four billion pixels": ("i.png", lambda p: p.write_bytes(png(65_000, 65_000)), read_image, "i.png"),
    "an image that is a device": ("i.png", lambda p: p.symlink_to("/dev/zero"), read_image, "i.png"),
}


def _touched(path):
    path.touch()
    return path


CLASSES = "happy,sad,neutral,angry,surprise,disgust,fear"


def across(folder, videos):
    """A protocol that tests on a table of clips what was trained on DFEW, and the data root of both."""
    root = folder / "data"
    (root / "table").mkdir(parents=True)
    (root / "DFEW").symlink_to(videos)
    clips = videos / "Clip" / "clip_224x224"
    (root / "table" / "frames").symlink_to(clips)
    labelled = zip(sorted(clips.iterdir()), CLASSES.split(","), strict=False)
    rows = [f"{clip.name},frames/{clip.name},{label},test" for clip, label in labelled]
    (root / "table" / "clips.csv").write_text("\n".join(["clip_id,path,label,split", *rows, ""]))
    (folder / "maps").mkdir()
    (folder / "maps" / "same.yaml").write_text("{name: same, title: t}")
    test_on = {"dataset": "table", "source": "path", "part": "test", "labels": "same"}
    protocol = {"name": "to-table", "version": 1, "title": "t", "citation": "none", "train_on": "dfew-fold1"}
    (folder / "to-table.yaml").write_text(json.dumps({**protocol, "test_on": test_on}))
    return folder / "to-table.yaml", root


class Commands:
    """Runs commands in this process, and keeps what came of each: code, text, processor time, memory, executions."""

    def __init__(self, trace):
        self.trace, self.found = trace, {}

    def attempt(self, command, kind, act):
        started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = act()
            except SystemExit as end:
                code = end.code
            except Exception as error:
                code = f"{type(error).__name__}: {error}"
        self.found[f"{command} | {kind}"] = {
            "code": code,
            "said": out.getvalue(),
            "seconds": time.process_time() - started,
            "bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024,
            "executed": self.trace.exists(),
        }
        self.trace.unlink(missing_ok=True)

    def run(self, command, kind, *arguments):
        from benchmark.cli.main import main

        self.attempt(command, kind, lambda: main([str(argument) for argument in arguments]))

    def resume(self, command, kinds, files, out, *arguments):
        """Finish it once, to see where its last.pth lies; then every kind is planted there."""
        self.run(command, "first", *arguments, "-o", out)
        (last,) = out.rglob("last.pth")
        unit = last.parent.parent
        for kind in kinds:
            for path in [*unit.glob("predictions.*"), *unit.glob("*.json"), *unit.glob("*.safetensors"), last]:
                path.unlink(missing_ok=True)
            os.link(files[kind], last)
            self.run(f"{command}, resumed", kind, *arguments, "-o", out)


def through_all_commands(videos: Path, folder: Path, report: Path, everything: str) -> None:
    """Send hostile files through the commands; what came of it goes to `report`, as JSON. videos: a synthetic DFEW."""
    commands = Commands(folder / "executed")
    files = {kind: folder / f"{number}.pth" for number, kind in enumerate(WEIGHTS)}
    for kind, (make, _) in WEIGHTS.items():
        make(files[kind], commands.trace)
    small = ("--preset", "small", "--device", "cpu")
    short = (*small, "--set", "epochs=1", "--limit", "4", "--workers", "0")
    tsm = ("--method", "tsm", *short, "--jobs", "1")
    run = ("run", "--protocol", "dfew-fold1", *tsm, "--data-root", videos)
    if everything:
        commands.resume("run", [kind for kind in WEIGHTS if kind not in NO_FILE], files, folder / "run", *run)
        report.write_text(json.dumps(commands.found))
        return
    clip = next(iter(sorted((videos / "Clip" / "clip_224x224").iterdir())))
    for kind, file in files.items():
        commands.run("weights inspect", kind, "weights", "inspect", file)
        out = folder / "out.safetensors"
        commands.run("weights import", kind, "weights", "import", "--method", "tsm", "--preset", "small", file, out)
        weights = ("--weights", file, "--classes", CLASSES)
        commands.run("predict", kind, "predict", clip, "--method", "tsm", *small, *weights)
    pretrain = ("pretrain", "--method", "mae-dfer", "--videos", videos / "Clip", *short)
    for kind in (*FEW, *NO_FILE):
        commands.run("run --init", kind, *run, "-o", folder / "started", "--init", files[kind])
        commands.run("pretrain --init", kind, *pretrain, "-o", folder / "prestarted", "--init", files[kind])
    sweep = {
        "name": "s",
        "title": "t",
        "protocols": ["dfew-fold1"],
        "grid": {"method": ["tsm"]},
        "rows": [{"label": "a"}],
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    swept = ("sweep", folder / "sweep.yaml", *short, "--jobs", "1", "--data-root", videos)
    protocol, root = across(folder, videos)
    commands.resume("run", FEW, files, folder / "run", *run)
    commands.resume("pretrain", FEW, files, folder / "pretrain", *pretrain)
    commands.resume("sweep", FEW, files, folder / "sweep", *swept)
    commands.resume(
        "run across", FEW, files, folder / "across", "run", "--protocol", protocol, *tsm, "--data-root", root
    )
    for number, (kind, (filename, make, read, _)) in enumerate(LISTS.items()):
        path = folder / f"list-{number}" / filename
        path.parent.mkdir()
        make(path)
        commands.attempt("read", kind, lambda read=read, path=path: read(path))
    report.write_text(json.dumps(commands.found))


def in_a_process_of_its_own(videos, make_folder, everything=""):
    folder, report = make_folder("hostile"), make_folder("report") / "report.json"
    code = "import sys; from pathlib import Path; from tests.test_hostile_files import through_all_commands as go"
    code += "; go(*map(Path, sys.argv[1:4]), sys.argv[4])"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", code, str(videos), str(folder), str(report), everything]
    where = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, cwd=where)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(report.read_text())


@pytest.fixture(scope="module")
def outcomes(synthetic_root, tmp_path_factory):
    return in_a_process_of_its_own(synthetic_root, tmp_path_factory.mktemp)


RESUMED = ("run", "pretrain", "sweep", "run across")
CASES = [
    *((command, kind) for command in ("weights inspect", "weights import", "predict") for kind in WEIGHTS),
    *((command, kind) for command in ("run --init", "pretrain --init") for kind in (*FEW, *NO_FILE)),
    *((f"{command}, resumed", kind) for command in RESUMED for kind in FEW),
    *(("read", kind) for kind in LISTS),
]
# Nothing in them is hostile to one who only looks.
SHOWN = ("names that steer the terminal", "a config that is Python")


@pytest.mark.parametrize(("command", "kind"), CASES)
def test_a_hostile_file_runs_nothing_and_ends_in_one_line_soon(outcomes, command, kind):
    check(outcomes[f"{command} | {kind}"], command, kind)


@pytest.mark.slow
def test_a_run_resumes_from_no_hostile_file(synthetic_root, tmp_path_factory):
    found = in_a_process_of_its_own(synthetic_root, tmp_path_factory.mktemp, "everything")
    assert found.pop("run | first")["code"] == 0
    assert len(found) == len(WEIGHTS) - len(NO_FILE)
    for title, outcome in found.items():
        check(outcome, *title.split(" | "))


def check(outcome, command, kind):
    said = outcome["said"] if command != "read" else str(outcome["code"])
    assert not outcome["executed"]
    assert outcome["seconds"] < SECONDS
    assert outcome["bytes"] < BYTES
    assert "Traceback" not in said
    assert "\x1b" not in said
    assert "\x9b" not in said
    if command == "read":
        assert LISTS[kind][3] in said
        assert said.partition(":")[0] in ("IntegrityError", "UsageError", "UnreadableClip")
    elif command == "weights inspect" and kind in SHOWN:
        assert outcome["code"] == 0
    elif "resumed" in command:
        # Of a run, a unit that fails costs only itself.
        assert outcome["code"] in (1, 4)
        others = ("is not a checkpoint of this", "cannot be read as a weight file")
        assert any(reason in said for reason in (WEIGHTS[kind][1], *others))
    else:
        assert outcome["code"] in (2, 3, 4)
        assert WEIGHTS[kind][1] in said
        assert said.count("error: ") == 1


def test_the_commands_themselves_work(outcomes):
    assert [outcomes[f"{command} | first"]["code"] for command in RESUMED] == [0, 0, 0, 0]


SETTINGS = [
    "model.backbone={type: subprocess.getoutput, cmd: touch executed}",
    "model.backbone.type=subprocess.getoutput",
    "optim_wrapper.constructor=os.system",
    "model.cls_head.loss_cls={type: mmengine.model.BaseModel}",
    "train_dataloader.dataset.pipeline=[{type: os.system}]",
    "custom_imports={imports: [this]}",
    "custom_imports.imports=[this]",
    "default_scope=evil",
    "model.backbone={_scope_: evil, type: ResNet}",
    "model._delete_=true",
    "model.backbone.pretrained=https://example.org/w.pth",
    "model.backbone.init_cfg={type: Pretrained, checkpoint: w.pth}",
    "train_dataloader.dataset.ann_file=/etc/passwd",
    "epochs=&a [*a]",
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_chooses_no_code_and_no_file(setting, tmp_path, monkeypatch, capsys):
    from benchmark.cli.main import main

    monkeypatch.chdir(tmp_path)
    assert (
        main(["run", "--protocol", "dfew-fold1", "--method", "tsm", "--dry-run", "--data-root", ".", "--set", setting])
        == 2
    )
    key, _, value = setting.partition("=")
    row = {"label": "a", "set": {key: value if "&" in value else yaml.safe_load(value)}}
    sweep = {"name": "s", "title": "t", "protocols": ["dfew-fold1"], "grid": {"method": ["tsm"]}, "rows": [row]}
    (tmp_path / "s.yaml").write_text(json.dumps(sweep))
    assert main(["sweep", "s.yaml", "--dry-run", "--data-root", "."]) == 2
    assert not (tmp_path / "executed").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_a_setting_names_a_registered_class():
    from benchmark.errors import UsageError
    from benchmark.training.registered import check_registered

    config = {"optim_wrapper": {"optimizer": {"type": "SGD"}}, "model": {"cls_head": {"type": "I3DHead"}}}
    check_registered(config, {"optim_wrapper.optimizer.type": "AdamW", "model.cls_head": {"type": "TSMHead"}})
    with pytest.raises(UsageError, match="did you mean 'AdamW'"):
        check_registered(config, {"optim_wrapper.optimizer.type": "AdammW"})


def allowed_while_reading(path):
    """What torch's reader allows beyond its own, while it reads a file of ours."""
    import torch

    from benchmark.training import torchfile

    seen = []
    load = torch.load

    def spy(*arguments, **options):
        seen.extend(torch.serialization.get_safe_globals())
        assert options["weights_only"] is True
        return load(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchfile.torch, "load", spy)
        torchfile.read_torch(path)
    return seen


def test_nothing_is_allowed_when_a_checkpoint_is_read(tmp_path):
    import torch

    torch.save({"meta": {"history": []}, "state_dict": {"weight": torch.ones(1)}}, tmp_path / "last.pth")
    with torch.serialization.safe_globals([getattr]):
        assert allowed_while_reading(tmp_path / "last.pth") == []


def test_a_name_that_foreign_files_may_hold_leads_nowhere(tmp_path):
    """Each is taken for an object without a way on: called, built, given a state, and asked for an attribute."""
    import torch

    from benchmark.errors import IntegrityError
    from benchmark.training.description import IGNORED
    from benchmark.training.torchfile import read_torch

    for number, ignored in enumerate(sorted(IGNORED)):
        module, _, attribute = ignored.rpartition(".")
        named = name(module, attribute)
        made = call(named, text("os"), text("system"))
        path = tmp_path / f"{number}.pth"
        archive(path, b"\x80\x02" + made + b"}" + text("__class__") + text("x") + b"sb.")
        assert type(read_torch(path)).__name__ == "_Ignored"
        # What it made cannot be called.
        archive(path, b"\x80\x02" + call(made, text("touch executed")) + b".")
        with pytest.raises(IntegrityError):
            read_torch(path)
        assert "_Ignored" not in str(torch.serialization.get_safe_globals())


def test_names_are_spelled_out_in_json_too(capsys):
    from benchmark.cli.main import printing_plainly
    from benchmark.cli.output import print_json

    with printing_plainly():
        print_json({"clip": "\x1b[2J\x9b\u202e\udcff"})
        print("\x1b]0;title\x07\tkept\n", end="")
    out, _, plain = capsys.readouterr().out.rpartition("}\n")
    assert json.loads(out + "}") == {"clip": "\x1b[2J\x9b\u202e\udcff"}
    assert plain == "\\x1b]0;title\\x07\tkept\n"
    assert "\x9b" not in out
