"""Content-addressed storage built by composition: one small contract, many small stores."""
