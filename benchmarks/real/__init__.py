"""Real projects, fetched at run time; nothing of them is kept in the repository."""
