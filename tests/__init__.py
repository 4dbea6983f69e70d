"""The tests: one folder for each room, and those of the whole."""
