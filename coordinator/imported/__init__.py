"""The build.ninja of a project: read, made anew by its own edges, and what its compiles are given."""
