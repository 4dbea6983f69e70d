"""How a detector is made: labelled pictures, their inspection, fitting, evaluation, gates, registration."""
