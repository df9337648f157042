use crate::error::{check, Result};
use crate::text::{c_text, text_of};
use quern_sys as sys;
use std::ffi::CStr;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::sync::Arc;

/// A flag that stops the operations it was given to. Clones are the same flag. It stays raised until reset.
#[derive(Clone)]
pub struct CancelToken(Arc<TokenHandle>);

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

struct TokenHandle(*mut sys::quern_cancel_token);

// SAFETY: quern_c.h: cancel tokens are made to be raised from anywhere.
unsafe impl Send for TokenHandle {}
unsafe impl Sync for TokenHandle {}

impl Drop for TokenHandle {
    fn drop(&mut self) {
        // SAFETY: the last owner.
        unsafe { sys::quern_cancel_token_close(self.0) }
    }
}

impl CancelToken {
    /// A flag that is not raised.
    pub fn new() -> Result<Self> {
        let mut handle = ptr::null_mut();
        // SAFETY: writes the handle.
        check(unsafe { sys::quern_cancel_token_create(&mut handle) })?;
        Ok(CancelToken(Arc::new(TokenHandle(handle))))
    }
    /// Raises it: operations that look at it stop soon.
    pub fn cancel(&self) {
        // SAFETY: the handle lives.
        unsafe { sys::quern_cancel_token_cancel(self.as_ptr()) }
    }
    /// Lowers it again.
    pub fn reset(&self) {
        // SAFETY: the handle lives.
        unsafe { sys::quern_cancel_token_reset(self.as_ptr()) }
    }
    /// Whether it is raised.
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: the handle lives.
        unsafe { sys::quern_cancel_token_cancelled(self.as_ptr()) != 0 }
    }
    pub(crate) fn as_ptr(&self) -> *const sys::quern_cancel_token {
        self.0 .0
    }
}

pub(crate) fn cancel_ptr(token: &Option<CancelToken>) -> *const sys::quern_cancel_token {
    token.as_ref().map_or(ptr::null(), CancelToken::as_ptr)
}

/// How much a message of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

type LogFn = dyn Fn(LogLevel, &str) + Send + Sync;

/// What a [`Runtime`] is made with.
#[derive(Default)]
pub struct RuntimeOptions {
    /// 0: the physical cores that this process may use.
    pub n_threads: u32,
    /// "cpu" (the default), or "reference": scalar and slow.
    pub backend: Option<String>,
    /// Receives messages, from whichever thread meets the event.
    pub log: Option<Box<LogFn>>,
}

/// Threads, a backend and a log, which models share. A clone is the same runtime.
#[derive(Clone)]
pub struct Runtime(Arc<RuntimeHandle>);

struct RuntimeHandle {
    handle: *mut sys::quern_runtime,
    // Twice in a box: what C holds is a thin pointer that does not move.
    _log: Option<Box<Box<LogFn>>>,
}

// SAFETY: quern_c.h: runtimes may be used from many threads at once; the closure is Send and Sync.
unsafe impl Send for RuntimeHandle {}
unsafe impl Sync for RuntimeHandle {}

impl Drop for RuntimeHandle {
    fn drop(&mut self) {
        // SAFETY: the last owner; models keep a clone of the Runtime, so nothing logs any more.
        unsafe { sys::quern_runtime_close(self.handle) }
    }
}

/// SAFETY: `user` is of a Box<LogFn> that lives as long as the runtime.
unsafe extern "C" fn on_log(user: *mut c_void, level: i32, message: *const c_char) {
    let log = &*(user as *const Box<LogFn>);
    let level = match level {
        sys::QUERN_LOG_DEBUG => LogLevel::Debug,
        sys::QUERN_LOG_INFO => LogLevel::Info,
        sys::QUERN_LOG_WARNING => LogLevel::Warning,
        _ => LogLevel::Error,
    };
    // A panic must not unwind through C, and a message is not worth more.
    let _ = catch_unwind(AssertUnwindSafe(|| log(level, &CStr::from_ptr(message).to_string_lossy())));
}

impl Runtime {
    /// A runtime with these options.
    pub fn new(options: RuntimeOptions) -> Result<Self> {
        let backend = options.backend.as_deref().map(|name| c_text(name, "backend")).transpose()?;
        let log = options.log.map(Box::new);
        let mut raw = sys::quern_runtime_options::new();
        raw.n_threads = options.n_threads;
        raw.backend = backend.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        if let Some(log) = &log {
            raw.log = Some(on_log);
            raw.log_user = &**log as *const Box<LogFn> as *mut c_void;
        }
        let mut handle = ptr::null_mut();
        // SAFETY: the options' texts live until the call returns, the log as long as the handle.
        check(unsafe { sys::quern_runtime_create(&raw, &mut handle) })?;
        Ok(Runtime(Arc::new(RuntimeHandle { handle, _log: log })))
    }
    /// How many threads it has.
    pub fn n_threads(&self) -> u32 {
        // SAFETY: the handle lives.
        unsafe { sys::quern_runtime_n_threads(self.as_ptr()) }
    }
    /// The backend and its instruction set, e.g. "cpu (AVX3_ZEN4)".
    pub fn description(&self) -> String {
        // SAFETY: the text lives as long as the handle.
        unsafe { text_of(sys::quern_runtime_description(self.as_ptr())) }
    }
    pub(crate) fn as_ptr(&self) -> *const sys::quern_runtime {
        self.0.handle
    }
}
