"""Turn results folders into rankings: in a terminal, as JSON, and as a page.

A function of result records: nothing here reads an evaluation's source or runs a predictor.
`leaderboard.cli` is the command, `leaderboard.terminal` the table, `leaderboard.page` the page.
"""
