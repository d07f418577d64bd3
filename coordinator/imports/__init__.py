"""What Python files import, found without running them. Format of the cache: docs/design/tests.md."""
