"""Stage 4. Has it run: Plan to JobOutcomes."""
