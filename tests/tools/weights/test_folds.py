"""Folds: groups that share an origin, directly or through others, are never apart."""

from lipfd_jax.tools.weights.folds import FoldClip, assign_folds, read_origins


def test_groups_linked_by_origins_share_a_fold():
    clips = [
        FoldClip("ann", "one", 0),
        FoldClip("ben", "one|two", 1),
        FoldClip("cleo", "two", 1),
        FoldClip("dora", "three", 0),
        FoldClip("eva", "", 0),
    ]
    folds = assign_folds(clips, 3)
    assert folds["ann"] == folds["ben"] == folds["cleo"]
    assert len({folds["ann"], folds["dora"], folds["eva"]}) == 3


def test_sets_of_groups_are_spread_by_weight_and_order_does_not_matter():
    clips = [FoldClip(f"g{k}", f"o{k}", label) for k in range(9) for label in (0, 1)]
    folds = assign_folds(clips, 3)
    assert sorted(map(list(folds.values()).count, range(3))) == [3, 3, 3]
    assert assign_folds(clips[::-1], 3) == folds


def test_origins_are_read_from_the_table(tmp_path):
    (tmp_path / "clips.csv").write_text(
        "file,label,group,source\na.mp4,real,ann,site/one : a.mp4\nb.mp4,fake,ann,site/two : b.mp4\n"
        "c.mp4,real,ben,\n"
    )
    assert read_origins(tmp_path) == {"ann": "site/one|site/two", "ben": ""}


def test_a_table_without_origins_links_nothing(tmp_path):
    (tmp_path / "clips.csv").write_text("file,label,group\na.mp4,real,ann\n")
    assert read_origins(tmp_path) == {"ann": ""}
