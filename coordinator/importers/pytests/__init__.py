"""Test files as jobs: settings and a tree to recipes, one a test file, each with exactly what its result depends on."""
