"""What predictors are made of; each file here is used by several of them.

`grid` gives the tables of a split as arrays, `counts` probabilities of counts, `priors` leads from
a distribution before the shown responses to a prediction, `moments` are means and variances of
train runs. A new predictor starts with these, and with `prior_predictor` where its distributions
are normal before the shown responses.
"""
