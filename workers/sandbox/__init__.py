"""A directory that holds an action's inputs and nothing else."""
