"""Measurements of test selection: injected faults in real packages, and the twenty builds of a project of 102 jobs."""
