"""Errors of the engines. Each message is one plain sentence or two that say what to do next."""


class EngineError(Exception):
    """Base of all errors an engine raises on purpose; `str(error)` may be shown to the user."""


class DatasetError(EngineError):
    """The pictures, or the prepared dataset made from them, cannot be used."""


class ModelError(EngineError):
    """A model folder is missing, damaged, or does not fit what was asked of it."""


class ConfigError(EngineError):
    """A setting is outside its range, or two settings contradict each other."""


class DivergedError(EngineError):
    """The losses became infinite or not a number; the last good snapshot is kept."""
