"""The input folder of a fold: the shards that may be read, and the files of its targets.

It is all that a worker needs of a fold, and all that it may see. It holds no truth: targets are
described by a whitelist of columns, and shown responses do not lie in it but come with each call,
so that a call with k cannot see what belongs to a greater k.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.information import TARGET_COLUMNS
from harness.prediction_table import from_bytes
from harness.shards import (
    frame_to_table,
    read_table,
    read_tables,
    shard_name,
    table_to_frame,
    write_table,
)
from suites.reader import FRAMES
from suites.schema import RUNS, arrow_schema, to_pandas

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class FoldFolder:
    """Reads and writes a fold's input folder.

    Parameters
    ----------
    path : Path
        The folder; `write` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def write(
        cls,
        path: Path,
        *,
        shards: Path,
        train_runs: pd.DataFrame,
        targets: pd.DataFrame,
        models: pd.DataFrame,
        scenarios: pd.DataFrame,
        tables: Sequence[str],
        run_specs: pd.DataFrame | None,
        partial: Mapping[str, pa.Table],
    ) -> FoldFolder:
        """Write the folder of a fold.

        Parameters
        ----------
        path : Path
            The folder to make.
        shards : Path
            Where the shards of all runs lie; those of the train runs are linked to, or copied
            where the file system has no links.
        train_runs : DataFrame
            The train rows of the runs.
        targets : DataFrame
            One row per target, as `harness.fold_view.FoldView.described` gives them.
        models, scenarios : DataFrame
            Metadata.
        tables : sequence of str
            Which tables have shards: ``responses`` and the names of HELM frames.
        run_specs : DataFrame or None
            HELM's run_specs frame of the held-out runs.
        partial : mapping of str to pyarrow.Table
            Of train runs of which a part is held out (its perturbed values): the responses that
            are train. Their shards, and their HELM frames, are not given.
        """
        path.mkdir(parents=True)
        runs = list(dict.fromkeys(train_runs["run"]))
        content = {
            "train": [shard_name(run) for run in runs],
            "tables": list(tables),
            "partial": [shard_name(run) for run in partial],
        }
        (path / "fold.json").write_text(json.dumps(content))
        _put(path / "train_runs.arrow", train_runs)
        _put(path / "targets.arrow", targets.drop(columns="instances", errors="ignore"))
        if "instances" in targets.columns:
            instances = [list(ids) for ids in targets["instances"]]
            (path / "instances.json").write_text(json.dumps(instances))
        _put(path / "models.arrow", models)
        _put(path / "scenarios.arrow", scenarios)
        (path / "shards").mkdir()
        _link([shard_name(run) for run in runs if run not in partial], tables, shards, path)
        for run, table in partial.items():
            (path / "partial").mkdir(exist_ok=True)
            write_table(path / "partial" / f"{shard_name(run)}.responses.arrow", table)
        if run_specs is not None:
            write_table(path / "run_specs.arrow", frame_to_table(run_specs))
        return cls(path)

    def train_split(self, revealed: bytes | None = None) -> TrainSplit:
        """Give the train split; its tables are read when they are touched.

        Parameters
        ----------
        revealed : bytes, optional
            Further runs whose values are known, an Arrow stream.
        """
        content = self._content()
        shards = self.path / "shards"
        stems, partial = content["train"], set(content["partial"])

        def responses() -> pd.DataFrame:
            table = read_tables(self.train_responses())
            return to_pandas(arrow_schema().empty_table() if table is None else table)

        def runs() -> pd.DataFrame:
            import pandas as pd

            known = _get(self.path / "train_runs.arrow")
            if revealed is None:
                return known
            return pd.concat([known, _typed(from_bytes(revealed))], ignore_index=True)

        def frame(name: str) -> Any:
            def read() -> pd.DataFrame | None:
                whole = [stem for stem in stems if stem not in partial]
                return _concat([shards / f"{stem}.{name}.arrow" for stem in whole])

            return read if name in content["tables"] else None

        frames = {name: frame(name) for name in FRAMES}
        frames["run_specs"] = frame("run_specs")
        return TrainSplit(
            **frames,
            runs=runs,
            responses=responses if "responses" in content["tables"] else None,
            models=self.models,
            scenarios=self.scenarios,
        )

    def train_responses(self) -> list[Path]:
        """Give the files of the train responses, one for each run that has some."""
        content = self._content()
        partial = set(content["partial"])
        files = [
            self.path / ("partial" if stem in partial else "shards") / f"{stem}.responses.arrow"
            for stem in content["train"]
        ]
        return [file for file in files if file.exists()]

    def _content(self) -> dict[str, Any]:
        return dict(json.loads((self.path / "fold.json").read_text()))

    def targets(self, k: int) -> pd.DataFrame:
        """Give the targets that are asked for when k responses are shown."""
        frame = self.all_targets()
        kept = frame[frame["most_k"] >= k] if k else frame
        return kept.drop(columns="most_k").reset_index(drop=True)

    def all_targets(self) -> pd.DataFrame:
        """Give all targets, with ``most_k``, the greatest k with which each is asked for."""
        frame = _get(self.path / "targets.arrow")
        if (self.path / "instances.json").exists():
            most = frame.pop("most_k")
            frame["instances"] = json.loads((self.path / "instances.json").read_text())
            frame["most_k"] = most
        return frame

    def test_split(
        self, targets: pd.DataFrame, k: int, shown: bytes | None, state: bytes | None
    ) -> SequesteredTestSplit:
        """Give what a predictor sees of the targets; its tables are read when they are touched.

        Parameters
        ----------
        targets : DataFrame
            Those that are asked for: `targets`, or some of them.
        k : int
            How many responses are shown.
        shown : bytes or None
            The shown responses, an Arrow stream.
        state : bytes or None
            What may be seen of the targets' scenario_state, an Arrow stream.
        """
        return SequesteredTestSplit(
            run_specs=self.run_specs,
            scenario_state=None if state is None else lambda: _dotted(state),
            runs=lambda: targets[list(TARGET_COLUMNS)].drop_duplicates(ignore_index=True),
            responses=None if shown is None else lambda: to_pandas(from_bytes(shown)),
            models=self.models,
            scenarios=self.scenarios,
            targets=targets.copy(),
            k=k,
        )

    def models(self) -> pd.DataFrame:
        """Give the metadata of models."""
        return _get(self.path / "models.arrow")

    def scenarios(self) -> pd.DataFrame:
        """Give the metadata of scenarios."""
        return _get(self.path / "scenarios.arrow")

    def run_specs(self) -> pd.DataFrame | None:
        """Give HELM's run_specs of the held-out runs; None where there are none."""
        return _concat([self.path / "run_specs.arrow"])


def _link(stems: Sequence[str], tables: Sequence[str], shards: Path, folder: Path) -> None:
    """Put the shards of some runs into a fold's folder."""
    for stem in stems:
        for table in tables:
            name = f"{stem}.{table}.arrow"
            source, target = shards / name, folder / "shards" / name
            try:
                os.link(source, target)
            except FileNotFoundError:  # the run has none
                continue
            except OSError:  # no links here, or too many
                shutil.copyfile(source, target)


_DTYPES = {"string": "string", "int": "Int64", "bool": "boolean", "date": "datetime64[us]"}


def _put(path: Path, frame: pd.DataFrame) -> None:
    import pyarrow as pa

    write_table(path, pa.Table.from_pandas(frame, preserve_index=False))


def _get(path: Path) -> pd.DataFrame:
    return _typed(read_table(path))


def _typed(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    kinds = {c.name: _DTYPES[c.type] for c in RUNS if c.type in _DTYPES}
    return frame.astype({name: kind for name, kind in kinds.items() if name in frame.columns})


def _dotted(data: bytes) -> Any:
    from suites.helm.frames import DotDictDataFrame

    return DotDictDataFrame(table_to_frame(from_bytes(data)))


def _concat(paths: Sequence[Path]) -> pd.DataFrame | None:
    import pandas as pd

    frames = [table_to_frame(read_table(path)) for path in paths if path.exists()]
    if not frames:
        return None
    from suites.helm.frames import DotDictDataFrame

    return DotDictDataFrame(pd.concat(frames))
