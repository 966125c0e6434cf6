"""The built-in predictors, one file each.

They are registered under the entry points ``benchcast.predictors`` and listed, with what each
reads and when it fails, in ``docs/predictors.md``. Three files are shared: `predictors.counts`
(probabilities of counts), `predictors.grid` (the tables of a split as arrays) and
`predictors.priors` (from a distribution before the shown responses to a prediction).
"""
