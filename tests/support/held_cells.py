"""Made responses as a split: some cells held out, the first items of each shown."""

import numpy as np
import pandas as pd

from harness.data_splits import SequesteredTestSplit, TrainSplit


def split(x, held, k=0, *, binary=True, lower=0.0, upper=1.0, silent=(), group=None):
    """Hold cells of responses (models, scenarios, items) out; silent scenarios have none."""
    size = x.shape[2]
    facts = {"metric": "acc", "lower": lower, "upper": upper, "binary": binary, "n": size}
    labels = [f"q{n:02}" for n in range(size)]
    runs, known, targets, shown, truth = [], [], [], [], {}
    for i, j in np.ndindex(x.shape[:2]):
        name = f"r{i:02}-{j}"
        values = (lower + (upper - lower) * x[i, j]).tolist()
        own = {"model": f"m{i:02}", "scenario": f"s{j}", **facts}
        if group is not None:
            own["scenario_group"] = group(j)
        if (i, j) in held:
            targets.append({"target": name, **own, "instances": labels})
            shown += [(name, q, v) for q, v in zip(labels[:k], values[:k], strict=True)]
            truth[name] = float(np.mean(values))
        else:
            runs.append({"run": name, **own, "value": float(np.mean(values))})
            if j not in silent:
                known += [(name, "acc", q, v) for q, v in zip(labels, values, strict=True)]
    train = TrainSplit(
        runs=pd.DataFrame(runs),
        responses=pd.DataFrame(known, columns=["run", "metric", "instance", "value"]),
    )
    shown = pd.DataFrame(shown, columns=["target", "instance", "value"])
    return train, SequesteredTestSplit(targets=pd.DataFrame(targets), responses=shown, k=k), truth


def answers(predictor, train, test):
    """Fit and ask a predictor; give target → prediction."""
    predictor.fit(train)
    return {p.target: p for p in predictor.predict(train, test)}


def error(predictor, train, test, truth) -> float:
    """Give the mean absolute error of a predictor's means."""
    found = answers(predictor, train, test)
    return float(np.mean([abs(found[t].mean - truth[t]) for t in truth]))
