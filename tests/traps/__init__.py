"""The traps of incremental builds, each told once and run against several engines."""
