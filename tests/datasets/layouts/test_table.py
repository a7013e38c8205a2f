import unicodedata

import pytest

from benchmark.datasets.layouts.table import LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError


def write(root, *lines):
    (root / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_three_columns_are_enough(tmp_path):
    write(tmp_path, "clip_id,path,label", "b,videos/b.mp4,Sadness", "a,faces/a,happiness", "c,c.png,bored")
    clips = read(tmp_path, votes=False)
    assert [(clip.id, clip.label, clip.frames["path"]) for clip in clips] == [
        ("a", "happy", "faces/a"),
        ("b", "sad", "videos/b.mp4"),
        ("c", "bored", "c.png"),
    ]
    assert all(clip.parts == {} and clip.votes is None and clip.attributes == {} for clip in clips)


def test_columns_come_in_any_order_and_cells_may_be_padded(tmp_path):
    write(tmp_path, "label, clip_id ,path", "anger , a, ./v/a.mp4 ")
    clip = read(tmp_path, votes=False)[0]
    assert (clip.id, clip.label, clip.frames) == ("a", "angry", {"path": "v/a.mp4"})


def test_a_split_is_one_fixed_division(tmp_path):
    write(tmp_path, "clip_id,path,label,split", "a,a,sad,train", "b,b,sad,val", "c,c,sad,test")
    assert [clip.parts for clip in read(tmp_path, votes=False)] == [{1: "train"}, {1: "val"}, {1: "test"}]


def test_a_fold_is_the_one_that_the_clip_tests(tmp_path):
    write(tmp_path, "clip_id,path,label,fold", "a,a,sad,1", "b,b,sad,2", "c,c,sad,4")
    assert [clip.parts for clip in read(tmp_path, votes=False)] == [
        {1: "test", 2: "train", 4: "train"},
        {1: "train", 2: "test", 4: "train"},
        {1: "train", 2: "train", 4: "test"},
    ]


def test_one_fold_alone_is_no_cross_validation(tmp_path):
    write(tmp_path, "clip_id,path,label,fold", "a,a,sad,1", "b,b,sad,1")
    with pytest.raises(IntegrityError, match="every clip is in fold 1"):
        read(tmp_path, votes=False)


def test_subject_and_source_are_kept_where_they_are_known(tmp_path):
    write(tmp_path, "clip_id,path,label,subject,source", "a,a,sad,S01,", "b,b,sad,,a film")
    assert [clip.attributes for clip in read(tmp_path, votes=False)] == [{"subject": "S01"}, {"source": "a film"}]


def test_votes_are_read_only_when_asked_for(tmp_path):
    write(tmp_path, "clip_id,path,label,votes_sadness,votes_Happy,votes_bored", "a,a,sad,7,3,0", "b,b,bored,0,0.5,2")
    assert [clip.votes for clip in read(tmp_path, votes=False)] == [None, None]
    assert [clip.votes for clip in read(tmp_path, votes=True)] == [
        {"sad": 7.0, "happy": 3.0, "bored": 0.0},
        {"sad": 0.0, "happy": 0.5, "bored": 2.0},
    ]


def test_missing_votes_matter_only_for_soft_labels(tmp_path):
    write(tmp_path, "clip_id,path,label", "a,a,sad")
    assert read(tmp_path, votes=False)
    with pytest.raises(EnvironmentProblem, match=r"votes_happy.*`--labels hard` does not"):
        read(tmp_path, votes=True)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("-1,2", "line 3: clip b: -1 for sad cannot be"),
        ("0,0", "line 3: clip b: no emotion has a vote"),
        ("nan,1", "line 3: clip b: nan for sad cannot be"),
        (",1", "line 3: clip b: '' for sad is not a number"),
    ],
)
def test_a_wrong_vote_is_named(tmp_path, cells, message):
    write(tmp_path, "clip_id,path,label,votes_sad,votes_happy", "a,a,sad,3,1", f"b,b,sad,{cells}")
    with pytest.raises(IntegrityError, match=message):
        read(tmp_path, votes=True)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("votes_sad,votes_sadness", "two columns for 'votes_sad'"),
        ("votes_sad,votes_hapy", "'hapy' is not an emotion of this dataset; did you mean 'happy'"),
        ("votes_happy,votes_fear", "columns missing: votes_sad"),
    ],
)
def test_wrong_vote_columns_are_named(tmp_path, columns, message):
    write(tmp_path, f"clip_id,path,label,{columns}", "a,a,sad,3,1")
    with pytest.raises(IntegrityError, match=message):
        read(tmp_path, votes=True)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("clip_id,path", "line 1: columns missing: label"),
        ("clip_id,path,label,labels", "line 1: unknown column 'labels'; did you mean 'label'"),
        ("clip_id,path,label,vote_happy", "line 1: unknown column 'vote_happy'; did you mean 'votes_happy'"),
        ("clip_id,path,label,zzz", "line 1: unknown column 'zzz'; known: clip_id, path, label"),
        ("clip_id,path,label,label", "line 1: two columns for 'label'"),
        ("clip_id,path,label,split,fold", "line 1: both 'split' and 'fold'"),
    ],
)
def test_wrong_columns_are_named(tmp_path, header, message):
    write(tmp_path, header)
    with pytest.raises(IntegrityError, match=message) as error:
        read(tmp_path, votes=False)
    assert str(tmp_path / "clips.csv") in str(error.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",b,sad,test", "line 3: '' cannot be a clip_id"),
        ("b,,sad,test", "line 3: '' cannot be a path"),
        ("b,b,,test", "line 3: '' cannot be a label"),
        ("b,b,3,test", "line 3: label 3 is a number; write the emotion's name"),
        ("a,b,sad,test", "line 3: clip a is there twice"),
        ("b,/data/b.mp4,sad,test", "line 3: path /data/b.mp4 leaves the dataset's folder"),
        ("b,videos/../../b.mp4,sad,test", "line 3: path videos/../../b.mp4 leaves the dataset's folder"),
        ("b,b,sad,validation", "line 3: split 'validation' is none of train, val, test"),
        ("b,b,sad,", "line 3: split '' is none of train, val, test"),
        ("b,b,sad", "line 3: 3 cells, the header has 4"),
        ('"b', "line 3: not CSV"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, row, message):
    write(tmp_path, "clip_id,path,label,split", "a,a,sad,train", row)
    with pytest.raises(IntegrityError, match=message) as error:
        read(tmp_path, votes=False)
    assert str(tmp_path / "clips.csv") in str(error.value)


@pytest.mark.parametrize("fold", ["0", "-1", "1.5", "one", ""])
def test_a_fold_is_a_number_from_one(tmp_path, fold):
    write(tmp_path, "clip_id,path,label,fold", "a,a,sad,1", f"b,b,sad,{fold}")
    with pytest.raises(IntegrityError, match=f"line 3: fold '{fold}' is not a number from 1"):
        read(tmp_path, votes=False)


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    write(tmp_path, "clip_id,path,label,source", 'a,a,sad,"a film', 'in two lines"', "", "a,b,sad,")
    with pytest.raises(IntegrityError, match="line 5: clip a is there twice"):
        read(tmp_path, votes=False)


def test_a_table_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    (tmp_path / "clips.csv").write_bytes(b"clip_id,path,label\na,a,sad\nb,caf\xe9,sad\n")
    with pytest.raises(IntegrityError, match="line 3: not UTF-8"):
        read(tmp_path, votes=False)


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "clips.csv").touch()
    with pytest.raises(IntegrityError, match="line 1: the header is missing"):
        read(tmp_path, votes=False)


def test_the_root_is_found_at_or_in_the_data_root(tmp_path):
    root = tmp_path / "table"
    root.mkdir()
    write(root, "clip_id,path,label")
    assert find(tmp_path) == find(root) == root
    assert find(tmp_path / "missing") is None


def test_the_classes_are_whatever_the_table_holds():
    assert (LAYOUT.classes, LAYOUT.frame_sources, LAYOUT.votes) == ((), ("path",), True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path, encoding, delimiter):
    lines = [
        "Clip ID,Path,LABEL,Fold,Subject",
        "a,v/a.mp4,Glück,1.0,Zoë",
        "b,v/b.mp4,JOY,2.00,Zoë",
        '"c",v/c.mp4,sad,3,',
    ]
    text = "\r\n".join(line.replace(",", delimiter) for line in lines)
    (tmp_path / "clips.csv").write_bytes(text.encode(encoding))
    clips = read(tmp_path, votes=False)
    assert [(clip.id, clip.label, clip.parts[2]) for clip in clips] == [
        ("a", "glück", "train"),
        ("b", "happy", "test"),
        ("c", "sad", "train"),
    ]


def test_accents_that_were_taken_apart_mean_the_same_letters(tmp_path):
    (tmp_path / "Zoë.mp4").touch()
    apart = unicodedata.normalize("NFD", "Zoë")
    write(tmp_path, "clip_id,path,label,subject,split", f"a,{apart}.mp4,{apart},{apart},Train", "b,b,Zoë,Zoë,TEST")
    first, second = read(tmp_path, votes=False)
    assert first.frames["path"] == "Zoë.mp4"
    assert first.label == second.label == "zoë"
    assert first.attributes == second.attributes
    assert (first.parts, second.parts) == ({1: "train"}, {1: "test"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("clip_id,path;label\na,b;sad\n", "line 1: has commas and semicolons, so what separates"),
        ("clip_id;path;label\na;b,sad\n", "line 2: 2 cells, the header has 3, split at semicolons"),
        ("clip_id,path,label\na,b,nan\n", "line 2: label nan says that there is none"),
        ("clip_id,path,label\na,b,N/A\n", "line 2: label N/A says that there is none"),
        ("clip_id,path,label\na,v/x,sad\nb,./v//x,happy\n", "line 3: path v/x is that of clip a already"),
        ("clip_id,path,label\nZoe\u0308,x,sad\nZo\u00eb,y,sad\n", "is there twice, its accents written in two ways"),
        ("clip_id,path,label,fold\na,x,sad,1.5\n", "fold '1.5' is not a number from 1"),
    ],
)
def test_what_is_ambiguous_or_missing_is_refused_with_the_true_cause(tmp_path, content, message):
    (tmp_path / "clips.csv").write_text(content, encoding="utf-8")
    with pytest.raises(IntegrityError) as error:
        read(tmp_path, votes=False)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("clip_id,path,label\n".encode("utf-16-le"), "is UTF-16 without its mark"),
        (b"PK\x03\x04 and the rest", "is an Excel workbook under another name"),
        ("clip_id,path,label\nä,b,sad\n".encode("latin-1"), "line 2: not UTF-8 text"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, data, message):
    (tmp_path / "clips.csv").write_bytes(data)
    with pytest.raises(IntegrityError, match=message):
        read(tmp_path, votes=False)


def test_a_decimal_comma_among_votes_is_named(tmp_path):
    write(tmp_path, "clip_id;path;label;votes_sad", "a;a;sad;0,5")
    with pytest.raises(IntegrityError, match="'0,5' for sad is not a number; write 0.5, with a point"):
        read(tmp_path, votes=True)
