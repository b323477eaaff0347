"""The options of all commands. Nothing heavy is imported here: `rimkit --help` must not wait."""
