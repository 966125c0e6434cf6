"""What `results.py` is made of: sources, jobs, figures, aims, and the page."""
