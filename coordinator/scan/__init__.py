"""Stage 1. What is on disk: tree to Snapshot."""

from coordinator.scan.scanner import NOT_A_FILE, Scan, scan

__all__ = ["NOT_A_FILE", "Scan", "scan"]
