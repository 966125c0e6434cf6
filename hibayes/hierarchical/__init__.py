"""Hierarchical models of run values on a grid of models by scenarios, sampled by Gibbs sweeps.

=========================  =====================================================================
the grid                   `cells.Grid`: values, their known noise, groups, families, makers
`crossed`                  an effect of the model and one of the scenario
`factor`                   the same and a low-rank interaction of the two, from scores alone
`items`                    the same with prior covariances from the models' item responses
what they give             `posterior.Posterior`: draws by name, with labelled axes
what is made of it         `predictive` (counts, values), `update` (shown responses), `levels`
                           (models and scenarios that were not there; `strangers`, `sites`),
                           `loo`, `checks`
=========================  =====================================================================

Everything is NumPy in double precision: nothing is compiled, and only `loo` and `checks` need the
extra ``bayes`` (ArviZ).
"""
