"""Features with the labels of their axes: what an analysis and each of its models hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["NamedFeatures", "without_observations"]


class NamedFeatures:
    """What models are given, and what their variables' axes are called.

    Parameters
    ----------
    features, test_features : dict, optional
        Arrays and counts by name.
    coords : dict, optional
        The labels of each dimension.
    dims : dict, optional
        The dimensions of each variable.

    Examples
    --------
    >>> held = NamedFeatures({"obs": [1, 0], "num_group": 2}, coords={"group": ["a", "b"]})
    >>> held.feature("num_group"), held.coord("group"), held.dim("group_effects")
    (2, ['a', 'b'], None)
    >>> held.prior_features
    {'num_group': 2, 'obs': None}
    """

    def __init__(
        self,
        features: dict[str, Any] | None = None,
        test_features: dict[str, Any] | None = None,
        coords: dict[str, Any] | None = None,
        dims: dict[str, Any] | None = None,
    ) -> None:
        self.features = features if features is not None else {}
        self.test_features = test_features if test_features is not None else {}
        self.coords = coords
        self.dims = dims

    @property
    def prior_features(self) -> dict[str, Any]:
        """The features without observations: those of prior and posterior predictions."""
        return without_observations(self.features)

    @property
    def prior_test_features(self) -> dict[str, Any]:
        """The test features without observations."""
        return without_observations(self.test_features)

    def feature(self, name: str) -> Any:
        """Give a feature; None if there is none of the name."""
        return self.features.get(name)

    def test_feature(self, name: str) -> Any:
        """Give a test feature; None if there is none of the name."""
        return self.test_features.get(name)

    def coord(self, name: str) -> Any:
        """Give a dimension's labels; None if there are none."""
        return (self.coords or {}).get(name)

    def dim(self, name: str) -> Any:
        """Give a variable's dimensions; None if there are none."""
        return (self.dims or {}).get(name)


def without_observations(features: Mapping[str, Any]) -> dict[str, Any]:
    """Give the features whose names do not hold ``obs``, and ``obs`` as None.

    Examples
    --------
    >>> without_observations({"obs": [1], "num_group": 2, "obs_sd": 3})
    {'num_group': 2, 'obs': None}
    """
    return {name: value for name, value in features.items() if "obs" not in name} | {"obs": None}
