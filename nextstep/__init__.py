"""The market of job posts as a replayable log."""

__version__ = "0.1.0"
