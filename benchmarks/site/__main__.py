"""`python -m benchmarks.site`."""

from benchmarks.site.trace import main

main()
