import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from hibayes.hierarchical.cells import Grid, from_logit, to_logit
from hibayes.hierarchical.forecast import Evidence
from hibayes.hierarchical.kernels import Answers
from predictors.common.agreement_kernels import AgreementKernels, Responses
from predictors.common.grid import read_targets
from predictors.common.item_tables import read_makers
from predictors.profile.division import divide
from predictors.profile.forecast import ItemKnowledge, forecast
from predictors.profile.gp import Amounts, Standard, TwoWay, closeness, scenario_covariance
from predictors.profile.learning import (
    START,
    START_ALONE,
    _Hidden,
    _inside,
    _jacobian,
    _outside,
    learn,
)
from predictors.profile.part import log_student
from predictors.profile.predictor import Profile
from predictors.scenario_mean import ScenarioMean

MODELS, COLUMNS, ITEMS = 12, 6, 40


def world(seed: int = 0):
    """Make responses of models in three families, and the grid of their means."""
    rng = np.random.default_rng(seed)
    ability = np.repeat(rng.normal(0, 1, 4), 3) + rng.normal(0, 0.2, MODELS)
    taste = np.repeat(rng.normal(0, 2, (4, COLUMNS * ITEMS)), 3, axis=0)
    taste += np.repeat(np.repeat(rng.normal(0, 1, (4, COLUMNS)), 3, axis=0), ITEMS, axis=1)
    hard = rng.normal(0, 1, COLUMNS * ITEMS)
    logits = ability[:, None] + taste + hard + rng.normal(0, 0.3, taste.shape)
    x = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    tables = {j: x[:, j * ITEMS : (j + 1) * ITEMS] for j in range(COLUMNS)}
    y = np.stack([table.mean(axis=1) for table in tables.values()], axis=1)
    return tables, y


def grid_of(y: np.ndarray, known: np.ndarray | None = None) -> Grid:
    known = np.isfinite(y) if known is None else known
    rows, columns = np.nonzero(known)
    return Grid.of(
        [f"m{i:02}" for i in rows],
        [f"s{j}" for j in columns],
        y[rows, columns],
        np.full(len(rows), ITEMS),
    )


def process_of(grid: Grid, tables, amounts: Amounts = START) -> TwoWay:
    standard, kernels = Standard.of(grid), AgreementKernels.of_tables(tables, len(grid.models))
    scatter = closeness(standard, kernels, grid.group, grid.family, amounts)
    return TwoWay(standard, kernels, scatter, grid.group, grid.family, amounts)


def splits(seed: int = 0, *, new_models=(), new_scenarios=(), k: int = 0, binary: bool = True):
    """Give train and test split of a world, a sixth of its known cells held out."""
    tables, y = world(seed)
    held = np.random.default_rng(seed).random(y.shape) < 1 / 6
    held[list(new_models)] = True
    held[:, list(new_scenarios)] = True
    runs, responses, targets, shown = [], [], [], []
    for i in range(MODELS):
        for j in range(COLUMNS):
            own = {"model": f"o{i // 3}/m{i:02}", "scenario": f"s{j}", "metric": "acc"}
            own |= {"organisation": f"o{i // 3}", "n": ITEMS, "binary": binary}
            own |= {"lower": 0.0, "upper": 1.0}
            name = f"r{i:02}-{j}"
            labels = [f"q{n:02}" for n in range(ITEMS)]
            values = tables[j][i]
            if held[i, j]:
                targets.append({"target": name, **own, "instances": labels})
                order = np.random.default_rng([seed, i, j]).permutation(ITEMS)[:k]
                shown += [(name, labels[n], values[n]) for n in order]
            else:
                runs.append({"run": name, **own, "value": y[i, j]})
                responses += [(name, "acc", q, v) for q, v in zip(labels, values, strict=True)]
    train = TrainSplit(
        runs=pd.DataFrame(runs),
        responses=pd.DataFrame(responses, columns=["run", "metric", "instance", "value"]),
    )
    test = SequesteredTestSplit(
        targets=pd.DataFrame(targets),
        responses=pd.DataFrame(shown, columns=["target", "instance", "value"]),
        k=k,
    )
    truth = {f"r{i:02}-{j}": y[i, j] for i in range(MODELS) for j in range(COLUMNS) if held[i, j]}
    return train, test, truth


def error(said, truth) -> float:
    return float(np.mean([abs(p.mean - truth[p.target]) for p in said]))


def together(draws) -> float:
    """Give the mean correlation of the targets' draws."""
    return float(np.corrcoef(np.stack(draws))[np.triu_indices(len(draws), 1)].mean())


# -- kernels -------------------------------------------------------------------------------------


def test_kernels_say_who_is_of_one_family():
    tables, _ = world()
    kernels = AgreementKernels.of_tables(tables, MODELS)
    family = np.arange(MODELS) // 3
    same = (family[:, None] == family) & ~np.eye(MODELS, dtype=bool)
    for kernel in (kernels.agreement, kernels.lineage):
        assert kernel[same].mean() > kernel[family[:, None] != family].mean() + 0.05
        assert np.linalg.eigvalsh(kernel).min() > 0
        np.testing.assert_allclose(np.diag(kernel), 1.0)


def test_no_column_outweighs_600_items():
    tables, _ = world()
    rng = np.random.default_rng(3)
    noise = (rng.random((MODELS, 30_000)) < 0.5).astype(float)
    calm, loud = (
        AgreementKernels.of_tables({**tables, 9: noise[:, :size]}, MODELS).agreement
        for size in (600, 30_000)
    )
    family = np.arange(MODELS) // 3
    same = (family[:, None] == family) & ~np.eye(MODELS, dtype=bool)
    assert abs(calm[same].mean() - loud[same].mean()) < 0.05


def test_a_row_from_all_items_is_the_kernels_row():
    tables, _ = world()
    others = {j: table[1:] for j, table in tables.items()}
    g, c, n = Responses(others).row({j: table[0] for j, table in tables.items()})
    whole = AgreementKernels.of_tables(tables, MODELS)
    assert n == COLUMNS * ITEMS
    assert np.corrcoef(g, whole.agreement[0, 1:])[0, 1] > 0.99
    assert np.corrcoef(c, whole.lineage[0, 1:])[0, 1] > 0.99


# -- the process ---------------------------------------------------------------------------------


def test_leaving_a_cell_out_is_what_a_process_without_it_says():
    tables, y = world()
    grid = grid_of(y, np.random.default_rng(1).random(y.shape) < 0.8)
    whole = process_of(grid, tables)
    mean, variance = whole.left_out()
    z = whole.standard
    for at in (0, 7, 31):
        i, j = whole.row[at : at + 1], whole.column[at : at + 1]
        mask = z.mask.copy()
        mask[i, j] = False
        without = Standard(z.mean, z.sd, np.where(mask, z.z, 0.0), mask, z.sampling, z.n)
        less = TwoWay(without, whole.kernels, whole.scatter, grid.group, grid.family, START)
        m, v = less.predict(i, j)
        own = START.rest + START.sampling * z.sampling[i, j]
        np.testing.assert_allclose([m[0], v[0, 0] + own[0]], [mean[at], variance[at]], atol=1e-9)


def test_elpd_is_that_of_a_process_without_the_run():
    train, _, _ = splits()
    predictor = Profile()
    predictor.fit(train)
    found = predictor.loo(train).set_index("run")["elpd_loo"]
    assert set(found.index) == set(train.runs["run"])
    part, rows = predictor._fold.parts[0]
    runs, whole = predictor._fold.runs, part.process
    z, amounts = whole.standard, whole.amounts
    for r in rows[[0, 10, 40]]:
        i, j = part.grid.row[runs.model[r]], part.grid.column[runs.column[r]]
        mask = z.mask.copy()
        mask[i, j] = False
        without = Standard(z.mean, z.sd, np.where(mask, z.z, 0.0), mask, z.sampling, z.n)
        less = TwoWay(
            without, whole.kernels, whole.scatter, part.grid.group, part.grid.family, amounts
        )
        m, v = less.predict(np.array([i]), np.array([j]))
        variance = v[0, 0] + amounts.rest + amounts.sampling * z.sampling[i, j]
        sd = z.sd[j] * np.sqrt(variance * part.spread[0][i] * part.spread[1][j])
        centre = z.mean[j] + z.sd[j] * m[0]
        score = log_student(float(runs.y[r]), int(runs.n[r]), centre, sd, amounts.df)
        assert found[runs.id[r]] == pytest.approx(score, abs=1e-6)


def test_loo_says_why_there_is_no_waic():
    train, _, _ = splits()
    table = Profile(items=False).loo(train)
    assert set(table["method"]) == {"exact"}
    assert table[["elpd_waic", "pareto_k"]].isna().all(axis=None)
    assert "WAIC" in Profile.loo.__doc__


def test_correlations_are_drawn_to_those_of_their_group():
    rng = np.random.default_rng(0)
    group = np.array([0, 0, 0, 1, 1, 1])
    a = np.where(group[:, None] == group, 0.8, 0.1) + rng.normal(0, 0.05, (6, 6))
    a = (a + a.T) / 2
    np.fill_diagonal(a, 1.0)
    r, usual = scenario_covariance(a, 0.5, group, np.arange(6))
    assert usual[0, 1] > 0.6 > 0.4 > usual[0, 4]
    np.testing.assert_allclose(r, (a + usual) / 2)


def test_gradients_are_those_of_differences():
    tables, y = world()
    grid = grid_of(y)
    hidden = _Hidden.of(grid, tables, np.random.default_rng(2).random(y.shape) < 0.2, START)
    at, step = _inside(START), 1e-2
    _, slope = hidden.log_score(START)
    for p in range(len(at)):
        low, high = at.copy(), at.copy()
        low[p], high[p] = at[p] - step, at[p] + step
        found = hidden.log_score(_outside(high))[0] - hidden.log_score(_outside(low))[0]
        expected = (slope * _jacobian(at))[p]
        assert found / (2 * step) == pytest.approx(expected, abs=0.01 + 0.02 * abs(expected))


def test_hidden_cells_are_in_no_kernel_mean_or_correlation():
    tables, y = world()
    hide = np.random.default_rng(2).random(y.shape) < 0.2
    turned = {j: np.where(hide[:, [j]], 1.0 - table, table) for j, table in tables.items()}
    other = np.where(hide, 1.0 - y, y)
    one = _Hidden.of(grid_of(y), tables, hide, START)
    two = _Hidden.of(grid_of(other), turned, hide, START)
    np.testing.assert_array_equal(one.kernels.agreement, two.kernels.agreement)
    np.testing.assert_array_equal(one.scatter, two.scatter)
    np.testing.assert_array_equal(one.z[: one.known], two.z[: two.known])
    assert (one.z[one.known :] != two.z[two.known :]).any()


def test_few_cells_keep_the_start():
    _, y = world()
    grid = grid_of(y[:3, :3])
    assert learn(grid, None, 0) == START_ALONE


def test_what_is_learned_foretells_hidden_cells_better_than_the_start():
    tables, y = world()
    grid = grid_of(y)
    learned = learn(grid, tables, 0)
    hide = np.random.default_rng(9).random(y.shape) < 0.2
    hidden = _Hidden.of(grid, tables, hide, START)
    assert hidden.log_score(learned)[0] > hidden.log_score(START)[0]


# -- predictions ---------------------------------------------------------------------------------


def test_relatives_answers_help():
    errors = np.array(
        [
            [error(Profile(items=items).predict(train, test), truth) for items in (True, False)]
            for train, test, truth in (splits(seed) for seed in range(3))
        ]
    )
    assert errors[:, 0].mean() < 0.9 * errors[:, 1].mean()


@pytest.mark.parametrize(
    "strange", [{}, {"new_models": (0, 1, 2)}, {"new_scenarios": (2,)}], ids=str
)
def test_shown_responses_help_known_and_new_alike(strange):
    errors = []
    for k in (0, 4, 20):
        found = []
        for seed in range(2):
            train, test, truth = splits(seed, **strange, k=k)
            said = Profile().predict(train, test)
            assert {p.target for p in said} == set(truth)
            found.append(error(said, truth))
        errors.append(np.mean(found))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.06


def test_one_new_models_answers_tell_of_another_of_its_organisation():
    train, test, _ = splits(new_models=(0, 1, 2), k=10)
    means = []
    for right in (0.0, 1.0):
        shown = test.responses.copy()
        mine = shown["target"].str.startswith(("r00", "r01"))
        shown.loc[mine, "value"] = right
        shown = shown[mine]
        said = Profile().predict(
            train, SequesteredTestSplit(targets=test.targets, responses=shown, k=10)
        )
        means.append(np.mean([p.mean for p in said if p.target.startswith("r02")]))
    assert means[1] > means[0] + 0.05


def test_one_models_answers_tell_of_a_new_scenario():
    train, test, _ = splits(new_scenarios=(2,), k=10)
    means = []
    for right in (0.0, 1.0):
        shown = test.responses[test.responses["target"].isin(["r00-2", "r04-2", "r08-2"])]
        shown = shown.assign(value=right)
        said = Profile().predict(
            train, SequesteredTestSplit(targets=test.targets, responses=shown, k=10)
        )
        means.append(np.mean([p.mean for p in said if p.target == "r06-2"]))
    assert means[1] > means[0] + 0.1


def test_hard_items_say_more_than_easy_ones():
    train, test, _ = splits(k=1)
    target = test.targets["target"].iloc[0]
    j = target.split("-")[1]
    answered = train.responses[train.responses["run"].str.endswith("-" + j)]
    ease = answered.groupby("instance")["value"].mean().sort_values(kind="stable")
    means = {}
    for kind, item in (("hard", ease.index[0]), ("easy", ease.index[-1])):
        shown = pd.DataFrame({"target": [target], "instance": [item], "value": [1.0]})
        said = Profile().predict(
            train, SequesteredTestSplit(targets=test.targets, responses=shown, k=1)
        )
        means[kind] = next(p.mean for p in said if p.target == target)
    assert means["hard"] > means["easy"]


def test_draws_belong_together_and_have_the_margins():
    train, test, _ = splits(new_models=(0, 1, 2))
    single = {p.target: p for p in Profile().predict(train, test)}
    joint = Profile(joint=True).predict(train, test)
    assert all(p.joint and len(p.samples) == 400 for p in joint)
    for p in joint:
        assert np.mean(p.samples) == pytest.approx(single[p.target].mean, abs=0.01)
    new = [p.samples for p in joint if p.target.startswith("r00")]
    apart = [np.random.default_rng(j).permutation(draws) for j, draws in enumerate(new)]
    assert together(new) > 0.1 > abs(together(apart))


def test_graded_values_are_quantiles_inside_the_range():
    train, test, truth = splits(k=5, binary=False)
    said = Profile().predict(train, test)
    for p in said:
        values = list(p.quantiles.values())
        assert values == sorted(values)
        assert 0.0 <= values[0] <= values[-1] <= 1.0
    assert error(said, truth) < 0.12


def test_the_order_of_rows_changes_nothing():
    train, test, _ = splits(k=5, new_models=(0,))
    mixed = [
        frame.sample(frac=1.0, random_state=3)
        for frame in (train.runs, train.responses, test.targets, test.responses)
    ]
    one = Profile().predict(train, test)
    other = Profile().predict(
        TrainSplit(runs=mixed[0], responses=mixed[1]),
        SequesteredTestSplit(targets=mixed[2], responses=mixed[3], k=5),
    )
    found = {p.target: p.pmf for p in other}
    for p in one:
        np.testing.assert_array_equal(p.pmf, found[p.target])


def test_a_large_grid_is_divided_by_models(monkeypatch):
    monkeypatch.setattr("predictors.profile.predictor._MOST_CELLS", 40)
    train, test, truth = splits(k=5)
    predictor = Profile()
    predictor.fit(train)
    parts = predictor._fold.parts
    assert len(parts) == 2
    assert parts[0][0].process.amounts == parts[1][0].process.amounts
    names = [set(part.grid.models) for part, _ in parts]
    assert not names[0] & names[1]
    said = predictor.predict(train, test)
    assert {p.target for p in said} == set(truth)
    assert error(said, truth) < 0.12


def test_relatives_stay_in_one_part():
    """Of copies of two unlike models, whatever their names."""
    rng = np.random.default_rng(0)
    ancestors = rng.integers(0, 2, size=(2, 60)).astype(float)
    of = np.array([0, 1, 1, 0, 1, 0])
    tables = {j: ancestors[of][:, 30 * j : 30 * j + 30] for j in (0, 1)}
    tables = {j: np.where(rng.random(t.shape) < 0.1, 1 - t, t) for j, t in tables.items()}
    cells = [(m, s) for m in "abcdef" for s in "st"]
    y = np.stack([tables[0].mean(axis=1), tables[1].mean(axis=1)], axis=1).ravel()
    grid = Grid.of([m for m, _ in cells], [s for _, s in cells], y, [30] * 12)
    parts = divide(grid, tables, 6)
    assert sorted(rows.tolist() for rows in parts) == [[0, 3, 5], [1, 2, 4]]


def test_new_models_are_told_by_the_part_with_most_of_their_organisation(monkeypatch):
    monkeypatch.setattr("predictors.profile.predictor._MOST_CELLS", 40)
    train, test, truth = splits(k=5, new_models=(0,))
    predictor = Profile()
    predictor.fit(train)
    said = predictor.predict(train, test)
    assert {p.target for p in said} == set(truth)
    targets, makers = read_targets(test), read_makers(test.targets)
    places = {model for part, _ in predictor._fold.parts for model in part.grid.models}
    new = [t for t in range(len(targets)) if targets.model[t] not in places]
    counts = [part.models_of_makers for part, _ in predictor._fold.parts]
    assert len(counts) == 2
    assert new
    for part, members in predictor._fold._by_maker(targets, new, makers):
        for maker in {makers[targets.model[t]] for t in members}:
            assert part.models_of_makers[maker] == max(count[maker] for count in counts)


def test_forecasts_of_many_targets_are_made_in_parts(monkeypatch):
    monkeypatch.setattr("predictors.profile.forecast._TOGETHER", 2)
    mean = np.array([[to_logit(0.2), to_logit(0.5), to_logit(0.8)]])
    shown = [Evidence(n=20), Evidence(n=20, k=5, total=5.0), Evidence(n=20)]
    asked = []
    found = forecast(
        mean,
        np.full((1, 3, 3), 0.01) + 0.05 * np.eye(3),
        shown,
        lambda j, m, s: asked.append((j, round(float(from_logit(m)), 1))),
        sampling=np.ones(3),
        df=6.0,
        seed=[0],
    )
    means = [float(one.pmf @ np.arange(21)) / 20 for one in found]
    assert means == sorted(means)
    assert means[1] > 0.52
    assert asked[0] == (1, 0.5)


def cut(train, test, models: int, columns: int):
    """Keep the first models and scenarios."""
    frames = []
    for frame in (train.runs, test.targets):
        i = frame["model"].str[-2:].astype(int)
        frames.append(frame[(i < models) & (frame["scenario"].str[1:].astype(int) < columns)])
    return TrainSplit(runs=frames[0]), SequesteredTestSplit(targets=frames[1], k=0)


@pytest.mark.parametrize("shape", [(3, COLUMNS), (MODELS, 3), (3, 3)], ids=str)
def test_grids_of_three_get_a_process(shape):
    train, test, _ = splits(1)
    train, test = cut(train, test, *shape)
    predictor = Profile()
    predictor.fit(train)
    assert predictor._fold.parts
    assert len(predictor.predict(train, test)) == len(test.targets)


@pytest.mark.parametrize("shape", [(2, COLUMNS), (MODELS, 1)], ids=str)
def test_smaller_grids_get_the_scenario_mean(shape):
    train, test, _ = splits(1)
    train, test = cut(train, test, *shape)
    means = {p.target: p.mean for p in ScenarioMean().predict(train, test)}
    assert {p.target: p.mean for p in Profile().predict(train, test)} == means
    assert means


def test_values_without_bounds_get_the_scenario_mean():
    train, test, _ = splits(1)
    runs = train.runs.assign(lower=np.nan, upper=np.nan, binary=False)
    targets = test.targets.assign(lower=np.nan, upper=np.nan, binary=False)
    one, other = TrainSplit(runs=runs), SequesteredTestSplit(targets=targets, k=0)
    means = {p.target: p.mean for p in ScenarioMean().predict(one, other)}
    assert {p.target: p.mean for p in Profile().predict(one, other)} == means
    assert len(means) == len(targets)


def test_unrelated_answers_are_taken_for_less():
    tables, y = world()
    rng = np.random.default_rng(4)
    noise = {j: rng.permuted(table, axis=1) for j, table in tables.items()}
    standard = Standard.of(grid_of(y))
    scales = []
    for one in (tables, noise):
        places = {j: {str(n): n for n in range(ITEMS)} for j in one}
        scales.append(ItemKnowledge(Answers(one, places), standard).sharpness[1])
    assert scales[0] > scales[1]


def test_the_chance_of_a_guess_tells_of_a_new_column():
    rng = np.random.default_rng(0)
    models, names = [f"m{i}" for i in range(8)], [f"s{j}" for j in range(9)]
    chance = np.repeat([0.5, 0.25, 0.1], 3)
    skill = rng.uniform(0.0, 0.6, size=8)
    y = chance + (1.0 - chance) * skill[:, None] + rng.normal(0.0, 0.02, size=(8, 9))
    cells = [(m, s) for m in models for s in names]
    runs = pd.DataFrame(cells, columns=["model", "scenario"])
    runs = runs.assign(run=runs["model"] + runs["scenario"], value=y.ravel(), lower=0, upper=1)
    scenarios = pd.DataFrame({"scenario": [*names, "new"], "n_options": [*(1 / chance), 2.0]})
    targets = pd.DataFrame({"target": models, "model": models, "scenario": "new"})
    test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    test.scenarios = scenarios[-1:]
    told = Profile().predict(TrainSplit(runs=runs, scenarios=scenarios[:-1]), test)
    test.scenarios = None
    untold = Profile().predict(TrainSplit(runs=runs), test)
    truth = (0.5 + 0.5 * skill).mean()
    assert abs(np.mean([p.mean for p in told]) - truth) < 0.05
    assert np.mean([p.mean for p in untold]) < truth - 0.1
    narrow, wide = (
        np.mean([p.quantiles[0.97] - p.quantiles[0.03] for p in said]) for said in (told, untold)
    )
    assert narrow < wide


def test_it_says_where_it_is_too_small():
    train, _, _ = splits()
    predictor = Profile()
    predictor.fit(train)
    assert predictor.checks(train)["passed"].all()
    few = TrainSplit(runs=train.runs[train.runs["model"].isin(train.runs["model"].unique()[:2])])
    predictor.fit(few)
    found = predictor.checks(few).set_index("check")
    assert found["passed"].to_dict() == {"models": False, "columns": True}
    assert "2 of at least 3 models" in found.loc["models", "offenders"]
