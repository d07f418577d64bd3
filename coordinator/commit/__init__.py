"""Stage 6. Makes it so: outcomes to the next manifest and into the working copy, all or nothing."""
