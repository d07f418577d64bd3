"""Which tests a change can affect, and why each of the others is left out. Pure, given a TestMap."""
