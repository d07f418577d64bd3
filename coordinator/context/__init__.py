"""The context rules of a project, from its sources to files that other tools know."""
