"""The matrix of pairs: the paired differences of the harness, in words and not in colour alone."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from page_elements import Page

from harness.averages import choose_clusters, paired_difference
from harness.results import Results
from leaderboard import words
from leaderboard.head_to_head import compared_losses, head_to_head
from leaderboard.templating import environment


def section(results, ks=(0,)):
    ranking = results.ranking()
    panels = [{"k": k, "head_to_head": head_to_head(results, ranking, k)} for k in ks]
    template = environment().get_template("head_to_head.html.j2")
    return Page(template.render(panels=panels, rule_names=words.RULE_NAMES))


@pytest.mark.parametrize("k", [0, 5])
def test_pairs_are_the_paired_differences(results, k):
    ranking = results.ranking()
    found = head_to_head(results, ranking, k)
    part = ranking[(ranking["k"] == k) & ranking["ranked"]]
    assert list(found.names) == part["predictor"].tolist()
    losses, targets = compared_losses(results, found.names, k, "crps")
    rows, columns, *_ = choose_clusters(targets)
    for p, row in enumerate(found.rows):
        for q, pair in enumerate(row):
            if p == q:
                assert pair is None
                continue
            wanted = paired_difference(losses[p], losses[q], rows, columns)
            got = (pair.difference, pair.low, pair.high)
            assert got == pytest.approx((wanted.mean, wanted.low, wanted.high), rel=1e-9)
            excludes = wanted.low > 0 or wanted.high < 0
            assert pair.word == (("better" if wanted.mean < 0 else "worse") if excludes else "open")
            assert found.rows[q][p].difference == -pair.difference


@pytest.mark.parametrize(
    ("which", "n_pairs", "some_alone"), [("results", 6, False), ("board", 21, True)]
)
def test_what_is_sure_is_what_the_rank_sets_say(which, n_pairs, some_alone, request):
    board = request.getfixturevalue(which)
    ranking = board.ranking()
    alone_in_all = 0
    for k in (0, 5):
        found = head_to_head(board, ranking, k)
        part = ranking[(ranking["k"] == k) & ranking["ranked"]]
        for pairs, together, alone in zip(
            found.rows, part["rank_low"], part["marginal_rank_low"], strict=True
        ):
            worse = [pair for pair in pairs if pair is not None and pair.word == "worse"]
            assert 1 + len(worse) == alone
            assert 1 + sum(pair.sure for pair in worse) == together
        above = [pair for p, row in enumerate(found.rows) for pair in row[p + 1 :]]
        assert found.n_pairs == len(above) == n_pairs
        assert found.n_open == sum(pair.word == "open" for pair in above)
        assert found.n_alone == sum(p.word != "open" and not p.sure for p in above)
        alone_in_all += found.n_alone
    assert (alone_in_all > 0) == some_alone


def test_the_table_says_in_words_what_it_colours(board):
    page = section(board, (0, 5))
    assert page.faults == []
    found = head_to_head(board, board.ranking(), 5)
    table = page.all("table", class_="pairs")[1]
    cells = [e for e in page.all("td") if table in e["parents"]]
    pairs = [pair for row in found.rows for pair in row]
    assert len(cells) == len(pairs) == 49
    for cell, pair in zip(cells, pairs, strict=True):
        classes = cell["attrs"]["class"].split()
        if pair is None:
            assert cell["text"] == "–"
            continue
        shown = re.match(r"([+−]?[\d.]+)(better|worse|open)(†?)\[", cell["text"])
        assert float(shown[1].replace("−", "-")) == pytest.approx(pair.difference, abs=0.005)
        assert shown[2] == pair.word
        assert bool(shown[3]) == (pair.word != "open" and not pair.sure)
        assert {"better", "worse"} & set(classes) == {pair.word} - {"open"}
    caption = page.all("caption")[1]["text"]
    assert "row's predictor less that of the column's" in caption
    assert "once all 21 pairs are looked at together" in caption
    assert all(e["attrs"].get("scope") in ("row", "col") for e in page.all("th"))
    regions = page.all("div", role="region")
    assert all(e["attrs"]["tabindex"] == "0" and e["attrs"]["aria-label"] for e in regions)


def test_names_are_escaped(results, hostile):
    page = section(results)
    assert page.all("script") == []
    assert any(hostile in e["text"] for e in page.all("th", scope="row"))


def test_few_clusters_have_no_intervals_and_no_colours(make_folder):
    results = Results.load(make_folder(models=2))
    found = head_to_head(results, results.ranking(), 0)
    assert not found.has_intervals
    page = section(results)
    assert "Without intervals: 2 models" in page.all("caption")[0]["text"]
    assert page.all("td", class_="num better") == []


def test_one_ranked_predictor_has_nobody_to_meet(make_folder):
    results = Results.load(make_folder(predictors=("scenario-mean",)))
    assert head_to_head(results, results.ranking(), 0) is None
    assert "Fewer than two predictors are ranked" in section(results).all("p")[0]["text"]


def test_it_does_not_depend_on_the_order_of_rows(results):
    mixed = SimpleNamespace(
        manifest=results.manifest,
        targets=results.targets.sample(frac=1, random_state=1),
        scores=results.scores.sample(frac=1, random_state=1),
        status=results.status,
    )
    one, other = (head_to_head(r, results.ranking(), 0) for r in (results, mixed))
    assert one.names == other.names
    for a, b in zip(one.rows, other.rows, strict=True):
        words_of = [[p and (p.word, p.sure) for p in pairs] for pairs in (a, b)]
        assert words_of[0] == words_of[1]
        differences = [[0.0 if p is None else p.difference for p in pairs] for pairs in (a, b)]
        np.testing.assert_allclose(*differences, rtol=1e-9)
