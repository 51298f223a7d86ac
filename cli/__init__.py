"""The command line: one verb per file, each of which only translates arguments."""
