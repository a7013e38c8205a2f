"""Every kind of video file: any choice of frames, in any order, gives exactly those frames."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from benchmark.video import videos
from benchmark.video.clip import UnreadableClip
from benchmark.video.frames import open_clip
from benchmark.video.streams import examine
from benchmark.video.videos import SequentialVideo
from tests.video.drawing import CONTAINERS, REORDERING, Kind, copy_packets, draw, kinds, number_of, numbers

# One file of each codec in each container, those with B-frames where the codec has them.
COMPACT = [
    Kind(codec, container, 2 if codec in REORDERING else 0)
    for codec, containers in CONTAINERS.items()
    for container in containers
]
PLAIN = [Kind(codec, containers[0]) for codec, containers in CONTAINERS.items() if codec in REORDERING]


def choices(count: int) -> list[list[int]]:
    """Sparse, whole, backwards, at random, and again and again."""
    every = list(range(count))
    return [every[1::7], every, every[::-3], random.Random(0).sample(every, count // 2), [count - 1, 0, count - 1]]


def assert_exact(path: Path, count: int) -> None:
    for wanted in choices(count):
        reader = open_clip(path)
        assert reader.count == count
        assert numbers(reader.read(wanted)) == wanted
    reader = open_clip(path)
    assert [numbers(reader.read(wanted)) for wanted in choices(count)] == choices(count)


@pytest.mark.parametrize("kind", [*COMPACT, *PLAIN], ids=str)
def test_any_choice_of_frames_is_exact(tmp_path, kind):
    path = draw(tmp_path / f"video.{kind.container}", kind.codec, 24, kind.b_frames, kind.gop)
    assert_exact(path, 24)


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds(), ids=str)
def test_any_choice_of_frames_is_exact_in_the_whole_matrix(tmp_path, kind):
    path = draw(tmp_path / f"video.{kind.container}", kind.codec, 100, kind.b_frames, kind.gop)
    assert_exact(path, 100)
    assert not promises_more(path, 100)


def promises_more(path: Path, count: int) -> bool:
    return (examine(path).promised or 0) > count


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.b_frames == 0 and kind.gop == 6], ids=str)
def test_both_readers_give_the_same_pixels(tmp_path, kind):
    """Colourful frames, so that a matrix, a range or an offset of colour planes would show."""
    rng = np.random.default_rng(0)
    pictures = [np.kron(rng.integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8)) for _ in range(8)]
    path = draw(tmp_path / f"video.{kind.container}", kind.codec, pictures=pictures)
    reader = open_clip(path)
    sequence = SequentialVideo(path)
    assert reader.count == sequence.count == 8
    assert np.array_equal(reader.read(range(8)), sequence.read(range(8)))


def test_decord_reads_what_is_stored_in_the_order_in_which_it_is_shown(tmp_path):
    ordered = open_clip(draw(tmp_path / "ordered.mp4", "H.264", b_frames=0))
    assert ordered.decoder.startswith("decord ")
    for name, codec, b_frames in (("b.mp4", "MPEG-4", 2), ("b.mkv", "HEVC", 2), ("late.avi", "MPEG-2", 0)):
        assert open_clip(draw(tmp_path / name, codec, b_frames=b_frames)).decoder.startswith("PyAV ")


@pytest.mark.parametrize(("codec", "container"), [("H.264", "mp4"), ("MPEG-4", "mkv"), ("VP9", "webm")])
def test_frames_that_last_differently_long_are_exact(tmp_path, codec, container):
    times = list(itertools.accumulate(random.Random(0).choices((7, 40, 250), k=23), initial=0))
    assert_exact(draw(tmp_path / f"video.{container}", codec, 24, times=times), 24)


@pytest.mark.parametrize("size", [(63, 47), (34, 34), (97, 64), (40, 48)])
@pytest.mark.parametrize(("codec", "container"), [("MPEG-4", "avi"), ("VP9", "webm")])
def test_odd_sizes_are_exact(tmp_path, codec, container, size):
    path = draw(tmp_path / f"video.{container}", codec, 9, size=size)
    assert_exact(path, 9)
    assert open_clip(path).read([0])[0].shape == (size[1], size[0], 3)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_video_is_turned_as_a_player_turns_it(tmp_path, rotation, b_frames):
    """A white corner at the top left comes to lie at the top right, bottom right, bottom left."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 255
    path = draw(tmp_path / "turned.mp4", "MPEG-4", b_frames=b_frames, rotation=rotation, pictures=[picture] * 4)
    for reader in (open_clip(path), SequentialVideo(path)):
        (frame,) = reader.read([2])
        corners = [frame[:8, :8], frame[:8, -8:], frame[-8:, -8:], frame[-8:, :8]]
        assert [corner.mean() > 128 for corner in corners].index(True) == rotation // 90
        assert frame.shape == ((48, 64, 3) if rotation == 180 else (64, 48, 3))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "avi"])
@pytest.mark.parametrize("codec", ["MPEG-4", "H.264"])
def test_a_cut_without_encoding_anew_has_its_own_frames_and_no_copies(tmp_path, codec, container, b_frames):
    # A Matroska file does not say when its frames are stored, which has to be known for copying them.
    whole = draw(tmp_path / f"whole.{'mp4' if container == 'mkv' else container}", codec, 60, b_frames, gop=12)
    reader = open_clip(copy_packets(whole, tmp_path / f"cut.{container}", start=1.1))
    shown = numbers(reader.read(range(reader.count)))
    assert shown == list(range(shown[0], 60))
    assert shown[0] > 10
    assert_same_anyhow(tmp_path / f"cut.{container}", shown)


def assert_same_anyhow(path: Path, shown: list[int]) -> None:
    for wanted in choices(len(shown)):
        assert numbers(open_clip(path).read(wanted)) == [shown[index] for index in wanted]


@pytest.mark.parametrize("kind", COMPACT, ids=str)
def test_a_video_may_be_one_frame_long(tmp_path, kind):
    reader = open_clip(draw(tmp_path / f"video.{kind.container}", kind.codec, 1))
    assert reader.count == 1
    assert number_of(reader.read([0])[0]) == 0


@pytest.mark.parametrize(
    ("codec", "container", "b_frames"),
    [("MPEG-4", "avi", 0), ("MPEG-4", "avi", 2), ("H.264", "mkv", 0), ("MPEG-4", "mkv", 2), ("MPEG-2", "mpg", 2)],
)
def test_a_file_that_was_cut_off_has_the_frames_that_are_left_and_promises_more(tmp_path, codec, container, b_frames):
    path = draw(tmp_path / f"video.{container}", codec, 60, b_frames)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    reader = open_clip(path)
    shown = numbers(reader.read(range(reader.count)))
    # The last frame may be stored before some that are shown earlier, which are lost: a player would show it too.
    assert shown[:-1] == list(range(len(shown) - 1))
    assert shown[-1] >= len(shown) - 1
    assert 10 < len(shown) < 60
    assert promises_more(path, reader.count)
    assert_same_anyhow(path, shown)


def test_the_content_decides_and_not_the_name(tmp_path):
    path = draw(tmp_path / "video.avi", "MPEG-4", 12, b_frames=2)
    for name in ("video.mp4", "video.dat", "video"):
        assert_exact(path.rename(tmp_path / name), 12)
        path = tmp_path / name


TEXTS = {
    "notes.txt": "hello\n" * 99,
    "list.txt": "ffconcat version 1.0\nfile video.ts\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nvideo.ts\n#EXT-X-ENDLIST\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_no_video(tmp_path, name):
    """FFmpeg would draw a text, and open whatever a playlist names."""
    draw(tmp_path / "video.ts", "H.264")
    (tmp_path / name).write_text(TEXTS[name])
    with pytest.raises(UnreadableClip, match=f"{name}: not a video that can be read"):
        open_clip(tmp_path / name)


def test_a_picture_of_a_song_is_no_video(tmp_path):
    import av

    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        output.mux(sound.encode(frame))
    with pytest.raises(UnreadableClip, match="holds no video"):
        open_clip(path)


def test_overlapping_windows_of_a_long_video_decode_it_once(tmp_path, monkeypatch):
    path = draw(tmp_path / "long.avi", "MPEG-4", 200, b_frames=2)
    assert SequentialVideo(path).count == 200
    decoded = []
    shown = videos._shown
    monkeypatch.setattr(videos, "_shown", lambda path: (decoded.append(1) or frame for frame in shown(path)))
    monkeypatch.setattr(videos, "KEPT_BYTES", 30 * 64 * 48 * 3)
    reader = SequentialVideo(path)
    for start in range(0, 185, 8):
        assert numbers(reader.read(range(start, start + 16))) == list(range(start, start + 16))
    assert len(decoded) == 200
    assert len(reader._kept) < 60


def test_a_reader_that_keeps_nearly_nothing_goes_back_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr(videos, "KEPT_BYTES", 1)
    reader = SequentialVideo(draw(tmp_path / "video.avi", "MPEG-4", 24, b_frames=2))
    for wanted in choices(24):
        assert numbers(reader.read(wanted)) == wanted


@pytest.mark.parametrize(
    ("codec", "container", "b_frames", "times"),
    [("H.264", "mp4", 3, 4), ("H.264", "mp4", 0, 4), ("MPEG-4", "avi", 2, 4)],
)
def test_a_sound_file_is_never_refused_on_a_busy_machine(
    tmp_path, monkeypatch, busy, codec, container, b_frames, times
):
    """Whatever others have told decord about when to give up."""
    monkeypatch.setenv("DECORD_EOF_RETRY_MAX", "1")
    path = draw(tmp_path / f"video.{container}", codec, 90, b_frames, gop=250)
    for _ in range(times):
        for wanted in (list(range(2, 90, 5)), list(range(90)), list(range(89, -1, -9))):
            assert numbers(open_clip(path).read(wanted)) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds(), ids=str)
def test_every_kind_is_exact_a_hundred_times_on_a_busy_machine(tmp_path, busy, kind):
    path = draw(tmp_path / f"video.{kind.container}", kind.codec, 40, kind.b_frames, kind.gop)
    for time in range(100):
        wanted = random.Random(time).sample(range(40), 12)
        assert numbers(open_clip(path).read(wanted)) == wanted
