"""A family of synthetic sites: drawn people, heights, clothes and ways, with exact truth."""
