"""The built-in predictors: a file or a package each, and in `predictors.common` what they share.

They are registered under the entry points ``benchcast.predictors`` and listed, with what each
reads and when it fails, in ``docs/predictors.md``.
"""
