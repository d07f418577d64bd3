"""Names for work: the keys of recipes in the present state of the tree. Pure; planning, dispatch and commit use it."""
