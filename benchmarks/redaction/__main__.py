"""`python -m benchmarks.redaction`."""

from benchmarks.redaction.measure import main

main()
