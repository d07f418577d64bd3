"""Files of a source folder into the store: where each goes, what differs, what is sent, what is committed."""
