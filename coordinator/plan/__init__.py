"""Stage 3. What must run: BuildGraph and ChangeSet to Plan. Pure."""
