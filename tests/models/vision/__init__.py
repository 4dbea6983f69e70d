"""Tests of models.vision."""
