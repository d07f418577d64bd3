"""Blueprints: graphs written once and expanded over loops. Format: docs/design/blueprint.md."""
