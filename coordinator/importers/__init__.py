"""Stage 0. Where build graphs come from: each importer yields a BuildGraph."""
