"""How good and how fast the forecasters are, one command each: ``python -m benchmarks.forecasting NAME --data DIR``.

Each benchmark first reproduces a published naive baseline and fails if it cannot: this proves the protocol. Settings
are chosen on train and validation data; the test data is scored once, in full.
"""
