"""The command line: one module per group of commands, each importing what it needs when it is called."""
