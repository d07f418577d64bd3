"""Runs jobs: fetch inputs, execute, hash, upload. Knows nothing of plans or manifests."""
