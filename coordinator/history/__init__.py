"""What happened: the event log and the records of runs; audit, never the truth."""
