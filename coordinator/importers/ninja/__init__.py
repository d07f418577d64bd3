"""The language of build.ninja: text to a Manifest, and the questions `-t` asks of one."""
