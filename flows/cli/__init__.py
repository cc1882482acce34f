"""The command line `encounter`."""
