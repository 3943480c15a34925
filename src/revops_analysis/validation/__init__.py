"""The gate: data that fails its checks makes no report."""
