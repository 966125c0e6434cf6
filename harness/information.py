"""Information sets: what may be seen of a held-out run, as whitelists of columns.

A whitelist, never a list of deletions: a column that a later version adds stays hidden.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_STATE = "scenario_state."
_REQUEST = "scenario_state.request_states."

_SPEC = re.compile(
    r"run_spec\.name$|scenario_state\.adapter_spec\.|scenario_state\.request_states\.("
    r"instance\.(id|split|sub_split|perturbation(\..*)?)|reference_index|request_mode"
    r"|train_trial_index|num_train_instances)$"
)
_PROMPTS = re.compile(
    r"scenario_state\.request_states\.(instance\.input(\..*)?|instance\.references"
    r"|output_mapping\..*|request(\..*)?)$"
)
_REFERENCES = f"{_REQUEST}instance.references"

TARGET_COLUMNS: tuple[str, ...] = (
    "run",
    "name",
    "model",
    "organisation",
    "family",
    "scenario",
    "scenario_group",
    "condition",
    "metric",
    "part",
    "perturbation",
    "n",
    "binary",
    "lower",
    "upper",
    "higher_is_better",
    "date",
)
"""The columns of runs that describe a target: everything but what was observed."""


def visible_state(state: pd.DataFrame, information: str, shown: Collection[str]) -> pd.DataFrame:
    """Give what an information set lets be seen of a held-out run's scenario_state.

    Parameters
    ----------
    state : DataFrame
        HELM's scenario_state frame of the run.
    information : str
        ``spec``: descriptions and instance ids of all requests. ``prompts``: and the texts of
        the questions and their options, without the mark of the right one. ``completions``: and
        everything about the requests of the shown instances.
    shown : collection of str
        Ids of the shown instances.

    Returns
    -------
    DataFrame
        The same rows, index labels kept; cells that may not be seen are missing.
    """
    columns = [c for c in state.columns if _SPEC.match(c)]
    if information in ("prompts", "completions"):
        columns = [c for c in state.columns if c in set(columns) or _PROMPTS.match(c)]
    seen = state[columns].copy()
    if _REFERENCES in seen.columns:
        seen[_REFERENCES] = [_untagged(cell) for cell in seen[_REFERENCES]]
    if information == "completions":
        whole = state[_REQUEST + "instance.id"].isin(list(shown)).to_numpy()
        if whole.any():
            import pandas as pd

            rows = pd.concat([state[whole], seen[~whole]])
            back = np.argsort(np.concatenate([np.flatnonzero(whole), np.flatnonzero(~whole)]))
            seen = rows.iloc[back]
    return seen


def _untagged(references: Any) -> Any:
    if not isinstance(references, list):
        return references
    return [
        {k: v for k, v in r.items() if k != "tags"} if isinstance(r, dict) else r
        for r in references
    ]
