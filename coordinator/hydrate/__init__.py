"""Files of a revision into a folder, by what differs: ingested files, or what a build made."""
