"""The windrow command; words in, words out."""
