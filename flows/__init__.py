"""Prefect: each flow a table of contents; and the command line."""
