"""Running a command: supervised, with its environment, and what can be told from what it left."""
