"""The whole chain, from readings to warnings, as a user runs it."""
