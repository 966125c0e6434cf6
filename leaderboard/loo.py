"""Whether predictors judge themselves in the order in which they then turn out."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from leaderboard import words

__all__ = ["loo_agreement"]


def loo_agreement(summary: pd.DataFrame) -> str:
    """Say how the order by leave-one-run-out and WAIC agrees with that by held-out log score.

    Parameters
    ----------
    summary : DataFrame
        As `harness.ranking.loo_summary` returns it.

    Returns
    -------
    str
        Of how many pairs of predictors the order is the same; with three or more predictors also
        Kendall's tau (b). Empty where fewer than two have both.

    Examples
    --------
    >>> import pandas as pd
    >>> loo_agreement(pd.DataFrame({"elpd_loo": [-3.0, -3.5, -4.0], "elpd_waic": [-3.0, -3.4, -3.3],
    ...                             "held_out": [-3.1, -3.3, -3.9]})).splitlines()[0]
    'LOO orders 3 of 3 pairs of predictors as their held-out log scores do (Kendall τ 1.00).'
    """
    lines = []
    for column, name in (("elpd_loo", "LOO"), ("elpd_waic", "WAIC")):
        both = summary[[column, "held_out"]].astype(float).dropna()
        if len(both) < 2:
            continue
        pairs = list(combinations(both.itertuples(index=False, name=None), 2))
        same = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs)
        tau = ""
        if len(both) > 2 and (both.nunique() > 1).all():
            from scipy.stats import kendalltau

            found = float(kendalltau(both[column], both["held_out"]).statistic)
            tau = f" (Kendall τ {words.number(found)})".replace("-", "−")
        what = words.count(len(pairs), "pair")
        lines.append(
            f"{name} orders {same} of {what} of predictors as their held-out log scores do{tau}."
        )
    return "\n".join(lines)
