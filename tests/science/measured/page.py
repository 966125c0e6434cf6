"""docs/results.md: the summary, a section for each job, what covers, what transfers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.ranking import loo_summary
from measured.aims import (
    RIDGE,
    THIRDS,
    Covered,
    Verdict,
    coverage,
    verdicts,
)
from measured.figures import Figures
from measured.jobs import HELD_OUT, NEW_LEVELS, PLAIN, TABLES, TRANSFER
from measured.sections import CLASSES, COMMAND, section
from measured.transfer import Transfer
from measured.transfer import section as transfer_section

HELD, BROKEN = "yes", "**no**"

# predictor, k, column of the ranking, what is expected, how far it may be off: of other
# implementations and other splits of this grid
EXPECTED = (
    ("sample-mean", 10, "absolute_error", 10.25, 0.25),
    ("beta-binomial", 10, "absolute_error", 6.87, 0.25),
    ("beta-binomial", 10, "crps", 4.85, 0.15),
    ("beta-binomial", 10, "coverage_90", 0.905, 0.025),
    ("additive-logit", 10, "crps", 4.17, 0.2),
    (RIDGE, 0, "crps", 3.03, 0.1),
    (PLAIN, 0, "crps", 3.14, 0.1),
    ("scenario-mean", 0, "crps", 8.3, 0.3),
)

SETTINGS = """\
No setting of any predictor was chosen by the command that wrote this page: every predictor runs
with its defaults, the same on all grids. `profile` and `factorisation` learn their
hyper-parameters in each fold from its train cells; what is set by hand, where it was chosen and
what it does is said on their pages ([profile](predictors/profile.md),
[factorisation](predictors/factorisation.md)): mostly on other seeds of these grids. Other seeds
re-divide runs that were looked at, so figures on the arena, psn12, openllm1_reduced and BenchPress
favour such choices. `kernel-ridge`'s ridge of 10 is that of a recipe made on the arena;
`kernel-ridge(gaps='mean')` is the recipe as it is usually written, with gaps at the columns'
means."""


def page(
    found: Mapping[str, Figures],
    instances: Iterable[Verdict],
    seeds: Sequence[int],
    remarks: Sequence[str],
) -> tuple[bool, str]:
    """Write the page as Markdown, and say whether all that is aimed at was found."""
    held = [*verdicts(found), *instances]
    covered = {
        name: [(k, name_k, coverage(name, of, k, name_k)) for k, name_k in _best_by_k(of)]
        for name, of in found.items()
        if not name.startswith("on-")
    }
    transfers = [Transfer(job, found[job.name]) for job in TRANSFER if job.name in found]
    seeds_text = ", ".join(map(str, seeds))
    lines = [
        "# Measured results",
        "",
        f"Written by `{COMMAND} --write docs/results.md` (part of `make science`).",
        "",
        f"Split seeds {seeds_text} unless a table says otherwise; draws of models are by "
        "`default_rng(seed)` over their sorted names. Seeds are averaged within a cell first, "
        "cells weigh equally. CRPS and MAE (of the median) are in percentage points, less is "
        "better. Intervals are 95 %, clustered in two ways: by organisation (or model) and "
        "scenario (or scenario group); they say how far the figure may be off on other models and "
        "scenarios like these.",
        "",
        *(f"- {remark}" for remark in remarks),
        *([""] if remarks else []),
        SETTINGS,
        "",
        *_summary(held, covered, transfers),
    ]
    for job in (*HELD_OUT, *NEW_LEVELS, *TABLES):
        if job.name in found:
            lines += section(job, found[job.name], seeds)
    if "heldout" in found:
        lines += [*_expected(found["heldout"]), *_loo(found["heldout"])]
    lines += [*_instances(held), *_coverage(covered), *transfer_section(transfers)]
    met = all(v.met for v in held) and all(
        c.held for rows in covered.values() for *_, parts in rows for c in parts
    )
    return met, "\n".join(lines).rstrip() + "\n"


def _best_by_k(figures: Figures) -> list[tuple[int, str]]:
    best = [(k, figures.best(k)) for k in figures.ks]
    return [(k, name) for k, name in best if name is not None]


def _summary(
    held: Sequence[Verdict],
    covered: Mapping[str, list[tuple[int, str, list[Covered]]]],
    transfers: Sequence[Transfer],
) -> list[str]:
    lines = [
        "## Measured against what is aimed at",
        "",
        "The best built-in predictor of each task (by CRPS, at this k), *limit*: at most "
        "(AUROC: at least); *aim*: what is hoped for. *Met* is of the figure, not of its interval.",
        "",
        "| task | k | what | best predictor | figure | limit | met | aim |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for v in held:
        aim = "–" if v.aim is None else f"{v.aim:g}"
        lines.append(
            f"| {v.job} | {v.k} | {v.what} | `{v.predictor}` | {v.figure.text(v.digits)} "
            f"| {'≥' if v.least else '≤'} {v.most:g} | {HELD if v.met else BROKEN} | {aim} |"
        )
    lines += [""]
    total = [c for rows in covered.values() for *_, parts in rows for c in parts]
    whole = [c for c in total if c.part == "all"]
    parts = [c for c in total if c.part != "all"]
    if total:
        lines += [
            "Coverage of 90 % intervals of the best predictors: of all targets of a task and k "
            f"{_count(whole)} within the limits, of thirds by difficulty and classes of closest "
            f"relative {_count(parts)} ([below](#coverage-of-the-best-predictors)).",
            "",
        ]
    if transfers:
        good = sum(t.held for t in transfers)
        lines += [
            f"The same settings on other grids: {good} of {len(transfers)} as aimed at "
            "([below](#other-grids-the-same-settings)).",
            "",
        ]
    return lines


def _count(covered: Sequence[Covered]) -> str:
    return f"{sum(c.held for c in covered)} of {len(covered)}"


def _expected(figures: Figures) -> list[str]:
    lines = [
        "## Against figures of other implementations",
        "",
        "On the arena, made by other code and with other splits:",
        "",
        "| predictor | k | figure | expected | found | holds |",
        "|---|---|---|---|---|---|",
    ]
    for name, k, column, value, off in EXPECTED:
        row = figures.row(name, k)
        if row is not None:
            number = float(row[column])
            held = HELD if abs(number - value) <= off else BROKEN
            lines.append(f"| {name} | {k} | {column} | {value} ± {off} | {number:.3f} | {held} |")
    return [*lines, ""]


def _loo(figures: Figures) -> list[str]:
    measured = figures.measured
    table = loo_summary(measured.loo, figures.rankings["crps"], measured.targets)
    lines = [
        "## Leave-one-run-out of the train runs, beside what was held out",
        "",
        "A predictor's own diagnostic, never ranked by: nats per run, mean over train runs.",
        "",
        "| predictor | elpd_loo | −held-out log score at k = 0 | gap | method |",
        "|---|---|---|---|---|",
        *(
            f"| {r.predictor} | {r.elpd_loo:.3f} | {r.held_out:.3f} | {r.gap:+.3f} | {r.method} |"
            for r in table.itertuples()
        ),
        "",
    ]
    both = table.dropna(subset=["elpd_loo", "held_out"])
    if len(both) > 2:
        tau = both["elpd_loo"].corr(both["held_out"], method="kendall")
        lines += [f"Agreement of the two orders (Kendall's τ of {len(both)}): {tau:.2f}.", ""]
    return lines


def _instances(held: Sequence[Verdict]) -> list[str]:
    rows = [v for v in held if v.job.startswith("instance")]
    if not rows:
        return []
    return [
        "## Single responses",
        "",
        "Task `instance` on the arena, 20 shown responses of each run; means over responses "
        "(Brier) and over runs (AUROC). [items.md](items.md) has all figures, seeds, intervals "
        "and the command (`python tests/science/items.py`).",
        "",
        "| task | what | predictor | figure | limit | met |",
        "|---|---|---|---|---|---|",
        *(
            f"| {v.job} | {v.what} | `{v.predictor}` | {v.figure.text(4)} "
            f"| {'≥' if v.least else '≤'} {v.most:g} | {HELD if v.met else BROKEN} |"
            for v in rows
        ),
        "",
    ]


def _coverage(covered: Mapping[str, list[tuple[int, str, list[Covered]]]]) -> list[str]:
    if not covered:
        return []
    lines = [
        "## Coverage of the best predictors",
        "",
        "Share of values inside the 90 % interval (by mid-PIT) of the best predictor at each k: of "
        "all targets (limits .87 to .93), in thirds of the scenarios by their mean value, and by "
        "the closest relative (.84 to .96). New models at k = 0, new scenarios until k = 5, the "
        "next release until k = 1 and grids under 200 cells: .80 to .96. **Bold**: outside.",
        "",
        f"| task | k | predictor | all | {' | '.join(THIRDS)} | {' | '.join(CLASSES[:3])} |",
        "|---|---|---|" + "---|" * 7,
    ]
    for name, rows in covered.items():
        for k, predictor, parts in rows:
            of = {c.part: c for c in parts}
            cells = [_share(of.get(part)) for part in ("all", *THIRDS, *CLASSES[:3])]
            lines.append(f"| {name} | {k} | `{predictor}` | {' | '.join(cells)} |")
    return [*lines, ""]


def _share(covered: Covered | None) -> str:
    if covered is None or not covered.n:
        return "–"
    text = f"{covered.share:.3f}"
    return text if covered.held else f"**{text}**"
