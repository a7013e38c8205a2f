"""What decodes clips is part of a result's identity."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from benchmark.errors import IntegrityError
from benchmark.planning.data import load_data
from benchmark.planning.request import Request, Variant, make_units, resolve_protocol
from benchmark.units.state import load_state, save_state
from benchmark.video import decoders
from benchmark.video.decoders import decoder_of
from tests.video.test_folders import frames

PYAV = importlib.metadata.version("av")


def test_images_and_videos_have_their_own_decoders(tmp_path):
    folder = frames(tmp_path / "clip.v2", count=1)
    assert decoder_of([folder]) == decoder_of([tmp_path / "a.png"]) == decoder_of([tmp_path / "00001"])
    assert decoder_of([folder]).startswith("images: opencv")
    assert decoder_of([tmp_path / "a.mp4"]) == f"videos: av {PYAV}, decord {importlib.metadata.version('decord')}"
    assert decoder_of([tmp_path / "a.mp4", folder]) == f"{decoder_of([folder])}; {decoder_of([tmp_path / 'a.mp4'])}"


@pytest.fixture
def units_for(synthetic_root):
    def make(source: str):
        settings = (f"protocol.frames.source={source}",)
        request = Request("dfew-5fold", (Variant("tsm"),), "small", (1,), settings=settings, unofficial=True)
        protocol = resolve_protocol(request)
        return make_units(request, protocol, load_data(protocol, synthetic_root, votes=False))

    return make


def test_a_unit_says_what_decodes_its_clips(units_for):
    assert units_for("clip_224x224")[0].decoder.startswith("images: opencv")
    assert units_for("original")[0].decoder.startswith(f"videos: av {PYAV}")


def test_a_finished_unit_of_another_decoder_is_not_taken_for_this_one(units_for, tmp_path, monkeypatch):
    (before,) = units_for("original")
    save_state(tmp_path, load_state(tmp_path, before))
    assert load_state(tmp_path, before).unit == before
    installed = decoders.package_version
    monkeypatch.setattr(decoders, "package_version", lambda name: "18.0.0" if name == "av" else installed(name))
    (after,) = units_for("original")
    assert after.identity != before.identity
    with pytest.raises(IntegrityError, match="holds a unit that differs in: decoder; nothing was changed"):
        load_state(tmp_path, after)


def test_a_unit_from_before_decoders_were_written_down_is_told_apart(units_for, tmp_path):
    (unit,) = units_for("original")
    old = unit.model_copy(update={"decoder": None})
    save_state(tmp_path, load_state(tmp_path, old))
    with pytest.raises(IntegrityError, match="differs in: decoder"):
        load_state(tmp_path, unit)


def test_asking_imports_no_decoder():
    ask = "import sys, benchmark.video.decoders as d; d.every_decoder()"
    code = f"{ask}; print({{'av', 'cv2', 'decord'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
