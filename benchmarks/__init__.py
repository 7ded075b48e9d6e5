"""What moonward costs, measured: one row for each target. `make bench` runs it; `docs/performance.md` shows it.

A row is a function in `benchmarks/rows/` that is listed in `benchmarks/rows/__init__.py`. Its docstring is its
method: warm-up, samples, what is measured and what is not. It is given a `Run` and yields what it finds, one
`Figure` or `Curve` at a time, so that an interrupted run keeps what there is.
"""
