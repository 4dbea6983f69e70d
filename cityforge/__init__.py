"""The front door: command line, settings, workspace, supervisor and replay.

Nothing is imported here, so that ``cityforge --help`` and the processes that the supervisor starts stay light.
"""

__version__ = "0.1.0"
