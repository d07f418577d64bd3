"""Decides what must run, has it run, and commits what came of it."""
