"""Broken: an action that breaks its promise."""

from __future__ import annotations


class Broken(Exception):
    """What an action names or did cannot stand; the message becomes that of a failed outcome."""
