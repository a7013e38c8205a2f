"""How to read the tables, in the words that every page uses."""

from __future__ import annotations

# What is explained, and the explanation as plain text with `code` between backticks.
LEGEND = (
    (
        "Scores",
        "Percent on test clips: the mean over units (every seed and fold), in brackets its 95 % interval, after it the "
        "standard deviation over units. A class without test clips counts neither in UAR nor in macro-F1.",
    ),
    (
        "Interval covers",
        "Intervals leave out one test clip after the other (jackknife, Student's t on log-odds), or all clips of one "
        "video, subject or source at once where the protocol names such a cluster: frames of a video are not "
        "independent. They cover the choice of clips, and that of seeds too where every fold was run with several. "
        "Clips of the film and television datasets count as independent, because the datasets do not say which share a "
        "film: intervals there may be too narrow.",
    ),
    (
        "Pooled and grouped",
        '"Pooled" is the score of all units\' predictions taken together; grouped scores count a prediction right when '
        "it falls in the label's group.",
    ),
    (
        "Rank",
        "The places that a row may have, as far as the data can tell: below every row that is better, and above "
        "every row that is worse, with p < 5 %. A row is compared with each other one over the same test clips, "
        "whatever their seeds (over independent clips, where nobody who published had the labels), and its p values "
        "are corrected after Holm for the number of these. So the places of any one row hold its true one in 95 of "
        "100 cases; that those of all rows do at once is less sure.",
    ),
    (
        "Not ranked",
        "Rows that changed the protocol, lack a unit, chose their checkpoints otherwise than on validation data, or "
        "started from weights that may have learned from test clips: a model of another fold, a pre-training on the "
        "dataset's videos, or a classifier of unknown origin, unless what was learned from is known to be other clips.",
    ),
    (
        "Against reported",
        "The score minus the one that a paper prints for the same protocol, method, label mode and augmentations, in "
        "points; pre-training may differ, and is said in both places. Rows without their paper's are not compared.",
    ),
    (
        "No pre-training",
        "Rows whose method rests on weights that they did without; they have a table and a ranking of their own.",
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
