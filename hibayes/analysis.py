"""The stages: load, process, model with its checks, communicate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hibayes.analysis_config import AnalysisConfig
from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.check import CheckerConfig
from hibayes.communicate import CommunicateConfig
from hibayes.extracted import load_extracted_data as _load_extracted_data
from hibayes.load import DataLoaderConfig, get_sample_df
from hibayes.model import ModelsToRunConfig, fit
from hibayes.platform import PlatformConfig
from hibayes.platform.devices import cores, use_cpu, use_host_devices
from hibayes.process import ProcessConfig
from hibayes.registry import registry_info, registry_params
from hibayes.resume import same_fit
from hibayes.stage import note_components, saver, shown, stage
from hibayes.ui import Display, ModellingDisplay
from hibayes.utils import init_logger
from hibayes.verdict import communicated, name_of, run_check
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AnalysisConfig", "AnalysisState", "CheckerConfig", "CommunicateConfig", "DataLoaderConfig",
    "Display", "ModelAnalysisState", "ModellingDisplay", "ModelsToRunConfig", "PlatformConfig",
    "ProcessConfig", "communicate", "fit", "get_sample_df", "load_data", "model", "model_checks",
    "process_data", "registry_info", "resume_model",
]  # fmt: skip

logger = init_logger()


def load_data(config: DataLoaderConfig, display: Display) -> AnalysisState:
    """Read the data.

    Parameters
    ----------
    config : DataLoaderConfig
        Where they are, and what is extracted of them.
    display : Display
        Where progress is shown.

    Returns
    -------
    AnalysisState
        With one row per response in ``data``.

    Raises
    ------
    UsageError
        If a source cannot be read.
    """
    with stage(display, "load", "Loading data") as ended:
        if config.extracted_data:
            data = _load_extracted_data(config.extracted_data)
            display.update_stat("Files loaded", len(config.extracted_data))
        else:
            data = get_sample_df(config, display)
        display.update_stat("Samples found", len(data))
        for column, title in (("model", "AI Models detected"), ("dataset", "Datasets")):
            if column in data.columns:
                display.update_stat(title, set(data[column].dropna().astype(str)))
        state = AnalysisState(data=data)
        note_components(state, config.enabled_extractors or [])
        ended(state)
    return state


def process_data(
    config: ProcessConfig,
    display: Display,
    data: pd.DataFrame | AnalysisState | str | Path | None = None,
    analysis_state: AnalysisState | str | Path | None = None,
) -> AnalysisState:
    """Make features of the data.

    Parameters
    ----------
    config : ProcessConfig
        The processors.
    display : Display
        Where progress is shown.
    data : DataFrame, optional
        The data. A state, or the folder of one, may stand here too.
    analysis_state : AnalysisState or path, optional
        The state to go on with, or the folder of one.

    Returns
    -------
    AnalysisState
        With processed data, features, coords and dims.

    Raises
    ------
    UsageError
        A ValueError: if both or neither of data and state are given, or a processor's demands are
        not met.
    """
    if data is not None and analysis_state is not None:
        raise UsageError("Provide either 'data' or 'analysis_state', not both")
    if data is None and analysis_state is None:
        raise UsageError("Must provide either 'data' or 'analysis_state'")
    if isinstance(data, AnalysisState | str | Path):
        analysis_state, data = data, None
    if isinstance(analysis_state, str | Path):
        analysis_state = AnalysisState.load(Path(analysis_state))
    state = AnalysisState(data=data) if data is not None else analysis_state
    assert state is not None
    use_host_devices(max(cores(), 4))  # features may be JAX's first arrays
    with stage(display, "process", "Running data processing methods") as ended:
        processors = config.enabled_processors or []
        display.update_logs(f"Enabled processors: {[name_of(one) for one in processors]}")
        for processor in processors:
            display.update_header(f"Running processor {name_of(processor)}")
            given = processor(state, display=display)
            if not isinstance(given, AnalysisState):
                raise UsageError(f"the processor {name_of(processor)} must return the state.")
            state = given
        note_components(state, processors)
        ended(state)
    return state


def model(
    analysis_state: AnalysisState,
    models_to_run_config: ModelsToRunConfig,
    checker_config: CheckerConfig,
    platform_config: PlatformConfig,
    display: Display,
    out: Path | None = None,
    frequent_save: bool = False,
) -> AnalysisState:
    """Fit each model, and check it before and after.

    Parameters
    ----------
    analysis_state : AnalysisState
        With features; changed in place.
    models_to_run_config : ModelsToRunConfig
        The models. One whose name the state has already takes that one's place.
    checker_config : CheckerConfig
        The checks; one that fails, or breaks down, does not end the run.
    platform_config : PlatformConfig
        What to compute on.
    display : Display
        Where progress is shown.
    out : path, optional
        Where to save with ``frequent_save``.
    frequent_save : bool, default False
        Save after each fit, before its checks, and after these.

    Returns
    -------
    AnalysisState
        The same one.

    Raises
    ------
    UsageError
        A ValueError: if two models have one name, or features that a model needs are missing.
    """
    return resume_model(
        analysis_state, models_to_run_config, checker_config, platform_config, display,
        out=out, frequent_save=frequent_save,
    )  # fmt: skip


def resume_model(
    analysis_state: AnalysisState,
    models_to_run_config: ModelsToRunConfig,
    checker_config: CheckerConfig,
    platform_config: PlatformConfig,
    display: Display,
    *,
    out: Path | None = None,
    frequent_save: bool = False,
    fitted: Iterable[ModelAnalysisState] = (),
) -> AnalysisState:
    """Do what `model` does, but take fits that are there.

    Parameters
    ----------
    fitted : iterable of ModelAnalysisState
        Models of an earlier run. One that `same_fit` says is the same is taken as it is, and only
        checks that it has not had are run. The other parameters are those of `model`.
    """
    save = saver(analysis_state, out, frequent_save)
    earlier = {one.model_name: one for one in fitted}
    planned = [
        ModelAnalysisState(
            model=built,
            model_config=config,
            platform_config=platform_config,
            features=dict(analysis_state.features),
            coords=analysis_state.coords,
            dims=analysis_state.dims,
        )
        for built, config in models_to_run_config.enabled_models or []
    ]
    _check_names(planned)
    _prepare(platform_config, planned)
    display.setupt_for_modelling()
    with stage(display, "model", "Modelling") as ended:
        display.update_stat("Statistical Models", len(planned))
        kept = {
            one.model_name: earlier[one.model_name]
            for one in planned
            if one.model_name in earlier and same_fit(one, earlier[one.model_name])
        }
        for found in kept.values():  # all of them, before the first save
            _take_place(analysis_state, found)
        for one in planned:
            display.set_active_model(one.model_name)
            if one.model_name in kept:
                found = kept[one.model_name]
                logger.info("%s has been fitted before: its posterior is kept.", one.model_name)
                _take_place(analysis_state, found)
                _check(found, _missing(found, checker_config, ("before", "after")), display)
                save()
                continue
            display.update_header(f"Running model {one.model_name}")
            _check(one, _checkers(checker_config, "before"), display)
            fit(one, display=display)
            _take_place(analysis_state, one)
            save()
            _check(one, _checkers(checker_config, "after"), display)
            save()
        note_components(analysis_state, checker_config.enabled_checkers or [])
        ended(analysis_state)
    save()
    return analysis_state


def model_checks(
    model_analysis_state: ModelAnalysisState, checker_config: CheckerConfig, display: Display
) -> ModelAnalysisState:
    """Run the checks of a model: those for before the fit, or once it is fitted those for after.

    Returns
    -------
    ModelAnalysisState
        With `checks` and diagnostics.
    """
    when = "after" if model_analysis_state.is_fitted else "before"
    with shown(display):
        return _check(model_analysis_state, _checkers(checker_config, when), display)


def communicate(
    analysis_state: AnalysisState,
    communicate_config: CommunicateConfig,
    display: Display,
    out: Path | None = None,
    frequent_save: bool = False,
) -> AnalysisState:
    """Make plots and tables.

    Parameters
    ----------
    analysis_state : AnalysisState
        With fitted models; changed in place. Plots and tables that it was loaded with go.
    communicate_config : CommunicateConfig
        The communicators; one that breaks down does not end the run.
    display : Display
        Where progress is shown.
    out : path, optional
        Where to save with ``frequent_save``.
    frequent_save : bool, default False
        Save after each communicator.

    Returns
    -------
    AnalysisState
        With figures and tables in ``communicate``.
    """
    state = analysis_state
    saver(state, out, frequent_save)
    state.drop_restored()
    with stage(display, "communicate", "Running communication methods") as ended:
        communicators = communicate_config.enabled_communicators or []
        display.update_logs(f"Enabled communicators: {[name_of(one) for one in communicators]}")
        for communicator in communicators:
            display.update_header(f"Running communicator for {name_of(communicator)}")
            state, record = communicated(communicator, state, display)
            state.communications.append(record)
            display.update_logs(
                f"Communicator {record['communicator']} returned: {record['result']}"
            )
            display.add_communicate_result(record["communicator"], record["result"], record)
            saver(state, out, frequent_save)()
        note_components(state, communicators)
        ended(state)
    return state


def _checkers(config: CheckerConfig, when: str) -> list[Callable[..., Any]]:
    """Give the checkers for before, or after, the fit."""
    return [
        checker
        for checker in config.enabled_checkers or []
        if registry_info(checker).metadata.get("when", "after") == when
    ]


def _missing(
    state: ModelAnalysisState, config: CheckerConfig, whens: Iterable[str]
) -> list[Callable[..., Any]]:
    """Give the checkers that a model of an earlier run has not had; drop records of others."""
    wanted = [checker for when in whens for checker in _checkers(config, when)]
    keys = [(name_of(checker), registry_params(checker)) for checker in wanted]
    state.checks = [
        record
        for record in state.checks
        if (record["checker"], record["arguments"]) in keys and record["result"] != "error"
    ]
    had = [(record["checker"], record["arguments"]) for record in state.checks]
    return [checker for checker, key in zip(wanted, keys, strict=True) if key not in had]


def _check(
    state: ModelAnalysisState, checkers: Sequence[Callable[..., Any]], display: Display
) -> ModelAnalysisState:
    if checkers:
        display.update_header(f"Running checks for {state.model_name}")
        display.update_logs(f"Enabled checks: {[name_of(checker) for checker in checkers]}")
    for checker in checkers:
        state, record = run_check(checker, state, display)
        key = ("checker", "arguments", "when")
        state.checks = [other for other in state.checks if any(other[k] != record[k] for k in key)]
        state.checks.append(record)
        display.update_logs(
            f"Checker {record['checker']} for model {state.model_name} returned: {record['result']}"
        )
        display.add_check(record["checker"], record["result"], record | {"model": state.model_name})
    return state


def _check_names(planned: Sequence[ModelAnalysisState]) -> None:
    names = [one.model_name for one in planned]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two models are called {', '.join(twice)}: give each a `tag` of its own.")


def _take_place(state: AnalysisState, one: ModelAnalysisState) -> None:
    """Add a model, in the place of one of that name."""
    state.models = [other for other in state.models if other.model_name != one.model_name]
    state.add_model(one)


def _prepare(platform: PlatformConfig, planned: Sequence[ModelAnalysisState]) -> None:
    """Let JAX have a device per chain; without effect once it has begun to compute."""
    if getattr(platform, "device_type", "cpu") == "cpu":
        chains = [getattr(getattr(one.model_config, "fit", None), "chains", 1) for one in planned]
        use_cpu()
        use_host_devices(max([cores(), *chains]))
