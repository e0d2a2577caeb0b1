"""The command line: each file parses one command's options and hands over to the package that does it."""
