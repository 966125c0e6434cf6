"""What every predictor must do, as checks, for `harness check-predictor` and `harness.testing`.

`made` makes the runs, `prepare` splits them as an evaluation does, `checks` has the checks, and
`findings` carries them out in workers.
"""
