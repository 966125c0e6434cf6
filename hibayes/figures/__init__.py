"""Figures of posterior draws and predictions, drawn alike whichever ArviZ is installed.

Each function takes draws and gives a matplotlib ``Figure`` that belongs to no window and to no
global list: there is nothing to close, and no display is needed.
"""
