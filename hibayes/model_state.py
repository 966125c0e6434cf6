"""One model of an analysis: its features, its posterior, what its checks found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hibayes.named_features import NamedFeatures
from hibayes.registry import registry_info

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelAnalysisState"]


class ModelAnalysisState(NamedFeatures):
    """A model that is to be fitted or has been, with all that is known of the fit.

    Parameters
    ----------
    model : callable
        What a builder decorated with ``@model`` built: takes the features, a NumPyro program.
    model_config : hibayes.model.ModelConfig
        How to fit it, its tag and its link function.
    platform_config : hibayes.platform.PlatformConfig, optional
        What to compute on.
    features, test_features : dict, optional
        Arrays and counts by name.
    coords : dict, optional
        The labels of each dimension.
    dims : dict, optional
        The dimensions of each variable.
    inference_data : optional
        ArviZ's container, of the version installed; an empty one is made when it is asked for.
    diagnostics : dict, optional
        What checkers found, by name.
    is_fitted : bool, default False
        Whether the posterior is there.

    Attributes
    ----------
    checks : list of dict
        One record per check that has run, as in ``results.json``.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        model_config: Any,
        platform_config: Any = None,
        features: dict[str, Any] | None = None,
        test_features: dict[str, Any] | None = None,
        coords: dict[str, Any] | None = None,
        dims: dict[str, Any] | None = None,
        inference_data: Any = None,
        diagnostics: dict[str, Any] | None = None,
        is_fitted: bool = False,
    ) -> None:
        super().__init__(features, test_features, coords, dims)
        self._model = model
        self._inference_data = inference_data
        self._questions: list[str] = []
        self._restored_figures: dict[str, Any] = {}
        self.model_config = model_config
        self.platform_config = platform_config
        self.diagnostics = diagnostics if diagnostics is not None else {}
        self.is_fitted = is_fitted
        self.checks: list[dict[str, Any]] = []

    @property
    def model(self) -> Callable[..., Any]:
        """The model: a callable of the features.

        Raises
        ------
        UsageError
            If the state was loaded and the model's builder is not registered.
        """
        rebuild = getattr(self._model, "rebuild", None)
        if rebuild is not None:
            self._model = rebuild()
        return self._model

    @model.setter
    def model(self, model: Callable[..., Any]) -> None:
        self._model = model

    @property
    def function_name(self) -> str:
        """The name of the model's builder, as configurations give it."""
        try:
            return registry_info(self._model).name
        except ValueError:
            return str(getattr(self._model, "__name__", type(self._model).__name__))

    @property
    def model_name(self) -> str:
        """The builder's name followed by the tag, without a separator."""
        return f"{self.function_name}{getattr(self.model_config, 'tag', None) or ''}"

    @property
    def inference_data(self) -> Any:
        """ArviZ's container with the groups ``posterior``, ``log_likelihood`` and others."""
        if self._inference_data is None:
            from hibayes import arviz_bridge

            self._inference_data = arviz_bridge.new_data({})
        read = getattr(self._inference_data, "read_inference_data", None)
        if read is not None:
            self._inference_data = read()
        return self._inference_data

    @inference_data.setter
    def inference_data(self, data: Any) -> None:
        self._inference_data = data

    @property
    def link_function(self) -> Any:
        """The inverse link that plots apply to parameters."""
        return getattr(self.model_config, "link_function", None)

    def add_diagnostic(self, name: str, value: Any) -> None:
        """Keep what a checker found."""
        self.diagnostics[name] = value

    def diagnostic(self, name: str) -> Any:
        """Give what a checker found; None if there is nothing of the name."""
        return self.diagnostics.get(name)

    def request_approval(self, question: str) -> None:
        """Leave a question for a person, where none can be asked now.

        The check that is running becomes NA and is listed under ``pending_approvals`` in
        ``results.json``; ``hibayes approve`` answers it.
        """
        self._questions.append(question)

    def take_questions(self) -> list[str]:
        """Give the questions left since this was last called."""
        questions, self._questions = self._questions, []
        return questions

    def get_summary(
        self, var_names: Iterable[str] | None = None, round_to: int | None = None
    ) -> pd.DataFrame:
        """Give the table of posterior means, intervals, ESS and R-hat; computed once.

        Parameters
        ----------
        var_names : iterable of str, optional
            The variables wanted: with ``group_effects`` the rows ``group_effects[…]`` are given,
            not those of ``group_effects_constrained``.
        round_to : int, optional
            Decimals; by default the values are not rounded.

        Returns
        -------
        pandas.DataFrame
            One row per scalar: mean, sd, hdi_3%, hdi_97%, mcse_mean, mcse_sd, ess_bulk,
            ess_tail, r_hat.
        """
        import pandas as pd

        summary = self.diagnostics.get("summary")
        if not isinstance(summary, pd.DataFrame):
            from hibayes import arviz_bridge

            summary = arviz_bridge.summary(self.inference_data)
            self.add_diagnostic("summary", summary)
        if var_names is not None:
            wanted = {var_names} if isinstance(var_names, str) else set(var_names)
            labels = [str(label) for label in summary.index]
            summary = summary[[label.split("[", 1)[0] in wanted for label in labels]]
        return summary.round(round_to) if round_to is not None else summary.copy()
