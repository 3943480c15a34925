"""Speed and memory of every step, beside the same work in plain pandas, in one run: `python -m benchmarks [scales]`."""
