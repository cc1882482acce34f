"""The nouns: typed records, table contracts, expectations and exposure policies."""
