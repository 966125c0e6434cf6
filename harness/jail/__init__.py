"""The jail: what a worker can reach of the machine, and how it is kept from the rest.

`harness.jail.policy` says what is wanted, `enter` does it in a forked process, `probe` finds out
what this machine can do, and `openings` is the one table of what each level leaves open.
"""
