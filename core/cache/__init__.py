"""Compiler caches: our own store, cache servers, and what they tell of each compilation."""
