"""How to read the tables, in the words that every page uses."""

from __future__ import annotations

# What is explained, and the explanation as plain text with `code` between backticks.
LEGEND = (
    (
        "Scores",
        "Percent on test clips: the mean over units (every seed and fold), in brackets its 95 % interval (bootstrap of "
        "the test clips within class, fold by fold), after it the standard deviation over units. Neighbouring frames "
        "of a video look alike, so that intervals of frame-wise protocols are too narrow.",
    ),
    (
        "Pooled and grouped",
        '"Pooled" is the score of all units\' predictions taken together; grouped scores count a prediction right when '
        "it falls in the label's group.",
    ),
    (
        "Rank",
        "Neighbours share a rank where the bootstrap of their difference over the same clips can't separate them at "
        "5 % (over independent clips, where nobody who published had the labels).",
    ),
    (
        "Not ranked",
        "Rows that changed the protocol, lack a unit, or chose their checkpoints otherwise than on validation data.",
    ),
    (
        "Against reported",
        "The score minus the one that a paper prints for the same protocol, method, label mode and augmentations, in "
        "points; pre-training may differ, and is said in both places.",
    ),
    (
        "Verified",
        "What was verified of a row, and by whom; labels of gated datasets are not published. Consistent: hashes, clip "
        "ids, predicted classes and all arithmetic hold, and the clips are those of the official lists (`no facts` "
        "where these are not known here); `benchmark leaderboard check` verifies it for everybody. Labels joined: a "
        "maintainer who has the labels recomputed every score. Re-predicted: a maintainer made predictions again from "
        "the checkpoints, of clips that a hash of the record chooses. Re-trained: a maintainer trained it again. "
        "Whoever publishes a row cannot raise its level: every level above the first is a signed statement in "
        "`attestations/`.",
    ),
)
