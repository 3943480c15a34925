"""From notebooks to a published run: render, key figures, manifest, index."""
