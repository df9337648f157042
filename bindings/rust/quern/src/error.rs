use quern_sys as sys;
use std::fmt;

/// Why a call failed. Each variant carries the library's message. New kinds may appear.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write.
    Io(String),
    /// No such file, key or name.
    NotFound(String),
    /// A file or a text is malformed.
    Format(String),
    /// Well-formed, but not handled by the library.
    Unsupported(String),
    /// A caller's value is out of range.
    Argument(String),
    /// Out of memory, or over a limit.
    Memory(String),
    /// A device failed.
    Device(String),
    /// The caller asked the operation to stop.
    Cancelled(String),
    /// The key-value cache has no room.
    ContextFull(String),
    /// Too much is waiting already: come again later.
    Busy(String),
    /// A broken invariant of the library: please report.
    Internal(String),
    /// A status that this version of the crate does not know.
    Other {
        /// The number of the C interface.
        code: i32,
        /// The library's message.
        message: String,
    },
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(code: i32, message: String) -> Self {
        match code {
            sys::QUERN_ERROR_IO => Error::Io(message),
            sys::QUERN_ERROR_NOT_FOUND => Error::NotFound(message),
            sys::QUERN_ERROR_FORMAT => Error::Format(message),
            sys::QUERN_ERROR_UNSUPPORTED => Error::Unsupported(message),
            sys::QUERN_ERROR_ARGUMENT => Error::Argument(message),
            sys::QUERN_ERROR_MEMORY => Error::Memory(message),
            sys::QUERN_ERROR_DEVICE => Error::Device(message),
            sys::QUERN_ERROR_CANCELLED => Error::Cancelled(message),
            sys::QUERN_ERROR_CONTEXT_FULL => Error::ContextFull(message),
            sys::QUERN_ERROR_BUSY => Error::Busy(message),
            sys::QUERN_ERROR_INTERNAL => Error::Internal(message),
            code => Error::Other { code, message },
        }
    }

    /// The status of the C interface (`QUERN_ERROR_...`).
    pub fn code(&self) -> i32 {
        match self {
            Error::Io(_) => sys::QUERN_ERROR_IO,
            Error::NotFound(_) => sys::QUERN_ERROR_NOT_FOUND,
            Error::Format(_) => sys::QUERN_ERROR_FORMAT,
            Error::Unsupported(_) => sys::QUERN_ERROR_UNSUPPORTED,
            Error::Argument(_) => sys::QUERN_ERROR_ARGUMENT,
            Error::Memory(_) => sys::QUERN_ERROR_MEMORY,
            Error::Device(_) => sys::QUERN_ERROR_DEVICE,
            Error::Cancelled(_) => sys::QUERN_ERROR_CANCELLED,
            Error::ContextFull(_) => sys::QUERN_ERROR_CONTEXT_FULL,
            Error::Busy(_) => sys::QUERN_ERROR_BUSY,
            Error::Internal(_) => sys::QUERN_ERROR_INTERNAL,
            Error::Other { code, .. } => *code,
        }
    }

    /// The library's message: names the file, key, tensor and value concerned.
    pub fn message(&self) -> &str {
        match self {
            Error::Io(message)
            | Error::NotFound(message)
            | Error::Format(message)
            | Error::Unsupported(message)
            | Error::Argument(message)
            | Error::Memory(message)
            | Error::Device(message)
            | Error::Cancelled(message)
            | Error::ContextFull(message)
            | Error::Busy(message)
            | Error::Internal(message)
            | Error::Other { message, .. } => message,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// The result of a call of the C interface; the message is this thread's last one.
pub(crate) fn check(status: sys::quern_status) -> Result<()> {
    if status == sys::QUERN_OK {
        return Ok(());
    }
    // SAFETY: never NULL, valid until the next failure on this thread.
    let message = unsafe { crate::text::text_of(sys::quern_last_error_message()) };
    Err(Error::new(status, message))
}
