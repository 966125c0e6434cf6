"""A page for each predictor: what it is, what became of it, where it fails, how sure it is."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.averages import choose_clusters
from harness.joint_ranking import later_table
from harness.ranking import FAILED, ResultsLike, loo_summary
from leaderboard import charts, words
from leaderboard.arrays import Arrays, bounded, cell_losses, codes, means
from leaderboard.calibration import calibration
from leaderboard.cell_page import Axis
from leaderboard.files import write_text
from leaderboard.loo import loo_agreement
from leaderboard.pit import histogram
from leaderboard.slugs import cell_addresses, predictor_addresses
from leaderboard.templating import environment, text_of

__all__ = ["PredictorResults", "build_predictor_pages"]

WORST = 20
"""Misses that are shown."""

MESSAGES = 12
"""Different messages of failures that are shown."""

CALLS = ("load", "fit", "predict")
"""The order in which calls are shown; others follow by name."""

GROUPS = ("scenario", "model", "organisation")
"""What losses are averaged by."""

Floats = NDArray[np.float64]


class PredictorResults(ResultsLike, Protocol):
    """What pages of predictors need beside what `harness.ranking.rank` needs."""

    @property
    def loo(self) -> pd.DataFrame:
        """Columns predictor, run, elpd_loo, elpd_waic, pareto_k, method; may be empty."""

    @property
    def timings(self) -> pd.DataFrame:
        """Columns predictor, seed, fold, k, phase, wall_s, cpu_s."""


def build_predictor_pages(
    results: PredictorResults,
    ranking: pd.DataFrame,
    folder: str | Path,
    root: str = "",
    *,
    arrays: Arrays | None = None,
) -> dict[str, str]:
    """Write a page for each predictor of a ranking, or of the manifest.

    Parameters
    ----------
    results : PredictorResults
        Such as `harness.results.Results.load` returns.
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    folder : str or Path
        Of the page of the ranking; ``predictors/`` is made in it.
    root : str
        From that page to the root of the site: empty, or ``"../"`` where there are several tasks.
    arrays : Arrays, optional
        The same results, where they are made already: pages of cells need them too.

    Returns
    -------
    dict of str to str
        Predictor → address relative to `folder`.
    """
    folder = Path(folder)
    pages = _Pages(results, ranking, arrays or Arrays.of(results, ranking), root)
    addresses = predictor_addresses(pages.arrays.predictors)
    (folder / "predictors").mkdir(parents=True, exist_ok=True)
    for p, name in enumerate(pages.arrays.predictors):
        write_text(folder / addresses[name], pages.html(p))
    return addresses


class _Pages:
    """Makes the pages of predictors; what they have in common is made once."""

    def __init__(
        self, results: PredictorResults, ranking: pd.DataFrame, arrays: Arrays, root: str
    ) -> None:
        self.results, self.ranking, self.arrays, self.root = results, ranking, arrays, root
        self.manifest = results.manifest
        self.described = {str(p["name"]): p for p in self.manifest.get("predictors") or ()}
        named = self.manifest.get("reference")
        self.reference = str(named) if named in arrays.predictors else None
        self.style = charts.styles(arrays.predictors, self.reference)
        self.responses = words.of_responses(ranking)
        targets = arrays.targets
        self.bounded = bounded(targets)
        self.compared = self._compared()
        # as the ranking has them: clusters are chosen among the targets that are pooled
        rows, columns, *_ = choose_clusters(targets[self.bounded])
        self.rows, self.columns = (pd.factorize(x)[0] for x in (rows, columns))
        self.pit = self._pit()
        self.groups = self._groups()
        self.loo = loo_summary(results.loo, ranking, results.targets)
        self.curve = later_table(results, "calibration")
        cells = list(
            zip(targets["model"].astype(str), targets["scenario"].astype(str), strict=True)
        )
        self.has_cells = not self.responses and not np.isnan(arrays.quantiles).all()
        addresses = cell_addresses(cells) if self.has_cells else {}
        self.cell_of = [addresses.get(cell) for cell in cells]
        self.template = environment().get_template("predictor.html.j2")

    def _compared(self) -> NDArray[np.bool_]:
        """Say which targets the ranking compares on, (K, T): those with all ranked losses."""
        out = np.zeros((len(self.arrays.ks), len(self.bounded)), dtype=np.bool_)
        for i, k in enumerate(self.arrays.ks):
            part = self.ranking[(self.ranking["k"] == k) & self.ranking["ranked"]]
            ranked = codes(part["predictor"], self.arrays.predictors)
            loss = self.arrays.loss[:, i]
            has = ~np.isnan(loss[ranked] if len(ranked) else loss)
            out[i] = self.bounded & (has.all(axis=0) if len(ranked) else has.any(axis=0))
        return out

    def _pit(self) -> Floats:
        """Give the randomised PIT values, (P, K, S, T); NaN where there are none."""
        arrays = self.arrays
        out = np.full(arrays.valid.shape, np.nan)
        scores = self.results.scores
        scores = scores[(scores["rule"] == "pit").to_numpy()]
        at = [
            codes(scores[column], names)
            for column, names in (
                ("predictor", arrays.predictors),
                ("k", arrays.ks),
                ("seed", arrays.seeds),
                ("target", arrays.targets["target"]),
            )
        ]
        known = np.logical_and.reduce([place >= 0 for place in at])
        value = scores["value"].to_numpy(dtype=np.float64)
        out[tuple(place[known] for place in at)] = value[known]
        return out

    def _groups(self) -> dict[str, tuple[list[str], Floats, NDArray[np.int64]]]:
        """Give mean losses by each of `GROUPS`: names, losses (P, K, G), numbers of targets."""
        table = cell_losses(self.results, self.arrays.rule)
        known = self.results.targets.drop_duplicates("model").set_index("model")
        of = (
            {str(m): o for m, o in known["organisation"].items()} if "organisation" in known else {}
        )
        table["organisation"] = [of.get(model) for model in table["model"]]
        arrays, out = self.arrays, {}
        p, k = codes(table["predictor"], arrays.predictors), codes(table["k"], arrays.ks)
        for by in GROUPS:
            there = table[by].notna().to_numpy()
            group, names = pd.factorize(table[by].astype(object), sort=True)
            shape = (len(arrays.predictors), len(arrays.ks), len(names))
            flat = ((p * shape[1] + k) * shape[2] + group)[there]
            n = table["n_targets"].to_numpy(dtype=np.float64)[there]
            loss = table["loss"].to_numpy(dtype=np.float64)[there]
            numbers = np.bincount(flat, weights=n, minlength=int(np.prod(shape)))
            out[by] = (
                [str(name) for name in names],
                means(flat, loss, shape, n),
                numbers.reshape(shape).astype(np.int64),
            )
        return out

    def html(self, p: int) -> str:
        """Make the page of one predictor."""
        arrays, name = self.arrays, self.arrays.predictors[p]
        own = self.ranking[self.ranking["predictor"] == name].sort_values("k")
        shown = own[own[arrays.rule].notna()]
        pair = self.ranking[self.ranking["predictor"].isin([name, self.reference])]
        curves = None
        if len(arrays.ks) > 1 and own["ranked"].any():
            curves = charts.curves(pair, self.reference, self.style)
        loo = self.loo[self.loo["predictor"] == name].to_dict("records")
        return self.template.render(
            manifest=self.manifest,
            root=f"{self.root}../",
            title=name,
            name=name,
            summary=text_of(self.described.get(name, {}).get("summary") or ""),
            is_reference=name == self.reference,
            reference=self.reference,
            facts=self._facts(name),
            remarks=self._remarks(name),
            rule=arrays.rule,
            rule_name=words.RULE_NAMES[arrays.rule],
            unit=arrays.unit,
            target=words.targets_word(self.responses),
            responses=self.responses,
            rows=shown.to_dict("records"),
            away=words.unranked(own),
            clusters=words.clusters(self.ranking) if len(shown) else "",
            curves=curves,
            panels=[self._panel(p, i) for i in range(len(arrays.ks))],
            groups=[g for by in GROUPS if (g := self._group(p, by)) is not None],
            heat=f"../cells/index.html#predictor={quote(words.clean(name), safe='')}",
            statuses=self._statuses(name),
            timings=self._timings(name),
            loo=loo[0] if loo else None,
            agreement=loo_agreement(self.loo).splitlines(),
        )

    def _facts(self, name: str) -> list[tuple[str, str]]:
        """Return what the predictor is, as pairs of a term and its text."""
        entry = self.described.get(name, {})
        settings = entry.get("settings") or {}
        pairs = [
            ("Author", entry.get("author")),
            ("Submitted", entry.get("submitted")),
            ("Named", entry.get("spec") if entry.get("spec") != entry.get("class") else None),
            ("Class", entry.get("class")),
            ("Settings", ", ".join(f"{key} = {value!r}" for key, value in settings.items())),
            ("Settings hash", entry.get("settings_hash")),
            ("Code hash", entry.get("code_hash")),
            ("Reads", entry.get("needs")),
            ("Least k", entry.get("min_k")),
            ("Isolation", entry.get("isolation") or self.manifest.get("isolation")),
            ("Status", str(entry.get("status") or "evaluated").replace("_", " ")),
            ("Reason", entry.get("reason")),
        ]
        return [(term, text_of(value)) for term, value in pairs if value not in (None, "", [])]

    def _remarks(self, name: str) -> list[str]:
        """Return what the predictor's own checks say."""
        entry = self.described.get(name, {})
        failed = [words.failed_check(check) for check in entry.get("failed_checks") or ()]
        return failed + words.missing_diagnostics([{**entry, "name": name}])

    def _panel(self, p: int, i: int) -> dict[str, Any]:
        """Return what is shown of one k."""
        arrays, k = self.arrays, self.arrays.ks[i]
        pit = np.where(self.compared[i], self.pit[p, i], np.nan)[:, self.bounded]
        names = [arrays.predictors[p]]
        return {
            "k": k,
            "pit": histogram(pit, self.rows, self.columns),
            "calibration": calibration(self.curve, k, names, self.style, self.reference),
            "misses": self._misses(p, i),
        }

    def _misses(self, p: int, i: int) -> list[dict[str, Any]]:
        """Return the targets with the greatest losses at one k, the greatest first."""
        arrays = self.arrays
        loss = np.where(self.bounded, arrays.loss[p, i], np.nan)
        worst = np.argsort(-loss, kind="stable")[:WORST]
        base = None
        if self.reference is not None:
            base = arrays.loss[arrays.predictors.index(self.reference), i]
        found = []
        for t in worst[~np.isnan(loss[worst])].tolist():
            row = arrays.targets.iloc[t]
            said, truth = None, float(row["value"])
            if self.has_cells and not np.isnan(arrays.quantiles[p, i, t]).any():
                low, _, median, _, high = arrays.quantiles[p, i, t].tolist()
                axis = Axis(np.array([low, high, truth]), float(row["lower"]), float(row["upper"]))
                said = (axis.show(median), f"{axis.show(low)} – {axis.show(high)}")
            found.append(
                {
                    "model": str(row["model"]),
                    "scenario": str(row["scenario"]),
                    "metric": str(row["metric"]),
                    "href": self.cell_of[t],
                    "truth": truth,
                    "median": said[0] if said else "–",
                    "interval": said[1] if said else "–",
                    "loss": float(loss[t]),
                    "reference": math.nan if base is None else float(base[t]),
                }
            )
        return found

    def _group(self, p: int, by: str) -> dict[str, Any] | None:
        """Return mean losses by scenario, model or organisation; None where nothing is known."""
        names, loss, n_targets = self.groups[by]
        own = loss[p]
        base = None
        if self.reference is not None and self.reference != self.arrays.predictors[p]:
            base = loss[self.arrays.predictors.index(self.reference)]
        rows = []
        for g, name in enumerate(names):
            if np.isnan(own[:, g]).all():
                continue
            less = own[:, g] - base[:, g] if base is not None else np.full(len(own), np.nan)
            rows.append(
                {
                    "name": name,
                    "n": int(n_targets[p, :, g].max()),
                    "cells": list(zip(own[:, g].tolist(), less.tolist(), strict=True)),
                }
            )
        return {"by": by, "rows": rows, "has_difference": base is not None} if rows else None

    def _statuses(self, name: str) -> dict[str, Any]:
        """Return how many targets have which status at each k, and what is said of failures."""
        status = self.results.status
        own = status[(status["predictor"] == name).to_numpy()]
        state = own["status"].astype(str)
        counts = pd.crosstab(own["k"].astype(int), state)
        order = [s for s in ("ok", *FAILED, "not_applicable") if s in counts.columns]
        order += [s for s in sorted(counts.columns) if s not in order]
        said: list[dict[str, Any]] = []
        if "message" in own.columns:
            message = own["message"].astype(object)
            notable = message.notna() & (message != "") & (state != "ok")
            texts = zip(state[notable].astype(str), message[notable].astype(str), strict=True)
            found = sorted(Counter(texts).items(), key=lambda pair: (-pair[1], pair[0]))
            said = [
                {"status": kind.replace("_", " "), "message": text, "n": n}
                for (kind, text), n in found
            ]
        rows = [
            (int(k), [int(n) for n in row])
            for k, row in zip(counts.index, counts[order].to_numpy().tolist(), strict=True)
        ]
        return {
            "names": [s.replace("_", " ") for s in order],
            "rows": rows,
            "messages": said[:MESSAGES],
            "more": max(len(said) - MESSAGES, 0),
        }

    def _timings(self, name: str) -> dict[str, Any]:
        """Return the seconds of each kind of call, and of all."""
        timings = self.results.timings
        own = timings[(timings["predictor"] == name).to_numpy()].astype({"phase": str})
        own = own.sort_values(["seed", "fold", "phase", "k"], kind="stable")  # sums in one order
        there = sorted(own["phase"].unique())
        phases = [c for c in CALLS if c in there] + [c for c in there if c not in CALLS]
        rows = [_times(phase, own[own["phase"] == phase]) for phase in phases]
        whole = _times("in all", own) if len(own) else None
        per_fold = own.groupby(["seed", "fold"])["wall_s"].sum()
        return {
            "rows": rows,
            "whole": whole,
            "folds": len(per_fold),
            "per_fold": float(per_fold.median()) if len(per_fold) else math.nan,
            "longest": float(per_fold.max()) if len(per_fold) else math.nan,
        }


def _times(phase: str, part: pd.DataFrame) -> dict[str, Any]:
    """Sum up some calls."""
    wall = part["wall_s"].astype(float)
    return {
        "phase": phase.replace("_", " "),
        "calls": len(part),
        "wall": float(wall.sum()),
        "median": float(wall.median()),
        "longest": float(wall.max()),
        "cpu": float(part["cpu_s"].astype(float).sum()),
    }
