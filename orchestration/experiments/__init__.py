"""The statistics of experiments: sums a mart keeps for each variation in, figures and a verdict out.

Nothing here talks to a database. `results.py` puts the steps together; each step is a file of its own.
"""
