"""The vocabulary both sides of the farm speak: values, contracts, storage. Imports nothing of ours."""
