//! Closures as C callbacks. A panic must not unwind through C: it stops the operation and goes on once that has returned.
use std::any::Any;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// What a `user` pointer points to while an operation runs.
pub(crate) struct Callback<'a, F: ?Sized> {
    function: Option<&'a mut F>,
    panic: Option<Box<dyn Any + Send>>,
}

pub(crate) type ProgressFn<'a> = dyn FnMut(&str, u64, u64) -> bool + 'a;
pub(crate) type TextFn<'a> = dyn FnMut(&str) -> bool + 'a;

impl<'a, F: ?Sized> Callback<'a, F> {
    pub(crate) fn new(function: Option<&'a mut F>) -> Self {
        Callback { function, panic: None }
    }

    pub(crate) fn is_some(&self) -> bool {
        self.function.is_some()
    }

    pub(crate) fn user(&mut self) -> *mut c_void {
        self as *mut Self as *mut c_void
    }

    /// After the operation.
    pub(crate) fn finish(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }

    fn call(&mut self, body: impl FnOnce(&mut F) -> bool) -> c_int {
        if self.panic.is_some() {
            return 1;
        }
        let function = match self.function.as_mut() {
            Some(function) => function,
            None => return 0,
        };
        match catch_unwind(AssertUnwindSafe(|| body(function))) {
            Ok(go_on) => !go_on as c_int,
            Err(panic) => {
                self.panic = Some(panic);
                1
            }
        }
    }
}

/// SAFETY: `user` is of a Callback<ProgressFn> that lives, and only this thread uses it.
pub(crate) unsafe extern "C" fn on_progress(user: *mut c_void, stage: *const c_char, done: u64, total: u64) -> c_int {
    let callback = &mut *(user as *mut Callback<'static, ProgressFn<'static>>);
    let stage = CStr::from_ptr(stage).to_str().unwrap_or("");
    callback.call(|function| function(stage, done, total))
}

/// SAFETY: `user` is of a Callback<TextFn> that lives, and only this thread uses it; the text has `size` bytes.
pub(crate) unsafe extern "C" fn on_token(user: *mut c_void, _token: i32, text: *const c_char, size: usize) -> c_int {
    let callback = &mut *(user as *mut Callback<'static, TextFn<'static>>);
    if size == 0 {
        return callback.panic.is_some() as c_int;
    }
    let bytes = std::slice::from_raw_parts(text as *const u8, size);
    let text = String::from_utf8_lossy(bytes);
    callback.call(|function| function(&text))
}
