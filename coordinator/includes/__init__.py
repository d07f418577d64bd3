"""Which files of the project a compile could read, told before it has ever run. docs/design/includes.md."""

from coordinator.includes.cache import DirectiveCache
from coordinator.includes.scanner import Files, Scan, Scanner

__all__ = ["DirectiveCache", "Files", "Scan", "Scanner"]
