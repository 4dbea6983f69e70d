"""One command per module; ``cityforge.main`` lists them and imports one only when it is run."""
