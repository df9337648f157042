"""The exceptions of this package. Each carries the status of the C interface."""

from . import _quern


class QuernError(Exception):
    """Something that the library refused or that failed. `code` is its status number, `status` the status's name."""

    def __init__(self, message="", code=100):
        super().__init__(message)
        self.code = int(code)
        self.message = message

    @property
    def status(self):
        return _quern.status_name(self.code)

    def __str__(self):
        return self.message

    def __reduce__(self):
        return type(self), (self.message, self.code)


class InputOutputError(QuernError, OSError):
    """The operating system refused to read or write."""


class NotFoundError(QuernError, FileNotFoundError):
    """No such file, key or name."""


class FormatError(QuernError, ValueError):
    """A file or a text is malformed."""


class UnsupportedError(QuernError, NotImplementedError):
    """Well-formed, but not handled by this library."""


class ArgumentError(QuernError, ValueError):
    """A caller's value is out of range."""


class OutOfMemoryError(QuernError, MemoryError):
    """Out of memory, or over a limit."""


class DeviceError(QuernError, RuntimeError):
    """A device failed."""


class CancelledError(QuernError):
    """The caller asked the operation to stop."""


class ContextFullError(QuernError, ValueError):
    """The key-value cache has no room."""


class BusyError(QuernError, RuntimeError):
    """In use, or too much is waiting already: come again later."""


class InternalError(QuernError, RuntimeError):
    """A broken invariant of the library: please report it."""


_BY_CODE = {10: InputOutputError, 11: NotFoundError, 20: FormatError, 30: UnsupportedError, 40: ArgumentError,
            41: ArgumentError, 50: OutOfMemoryError, 60: DeviceError, 70: CancelledError, 80: ContextFullError,
            90: BusyError, 100: InternalError}


def error_of(code, message):
    """The exception for a status. Statuses that are not known here are plain QuernErrors."""
    return _BY_CODE.get(code, QuernError)(message, code)
