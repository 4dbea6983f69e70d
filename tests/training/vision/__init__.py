"""Tests of training.vision."""
