"""The Python code of a project and the interpreter that runs it."""
