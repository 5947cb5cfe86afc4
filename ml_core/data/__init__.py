"""Tables and where they come from: one source a file, each with read() -> Table."""
