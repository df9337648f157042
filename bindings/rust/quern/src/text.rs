//! Texts and arrays to and from C.
use crate::error::{check, Error, Result};
use quern_sys as sys;
use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::path::Path;

/// SAFETY: `text` is NULL or ends in a zero.
pub(crate) unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

/// SAFETY: `text` is of static storage, and ASCII.
pub(crate) unsafe fn static_text(text: *const c_char) -> &'static str {
    CStr::from_ptr(text).to_str().unwrap_or("")
}

pub(crate) fn c_text(text: &str, what: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::Argument(format!("{} has a zero byte: {:?}", what, text)))
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::Argument(format!("the path has a zero byte: {:?}", path)))
    }
    #[cfg(not(unix))]
    {
        c_text(path.to_str().ok_or_else(|| Error::Argument(format!("the path is not UTF-8: {:?}", path)))?, "the path")
    }
}

/// Calls a function that fills a caller's buffer (buffer, capacity, *needed), a second time where it was too small.
pub(crate) fn filled<T: Copy + Default>(
    guess: usize,
    mut call: impl FnMut(*mut T, usize, *mut usize) -> sys::quern_status,
) -> Result<Vec<T>> {
    let mut buffer = vec![T::default(); guess];
    loop {
        let mut needed = 0;
        let status = call(buffer.as_mut_ptr(), buffer.len(), &mut needed);
        if status == sys::QUERN_ERROR_BUFFER_TOO_SMALL && needed > buffer.len() {
            buffer.resize(needed, T::default());
            continue;
        }
        check(status)?;
        buffer.truncate(needed);
        return Ok(buffer);
    }
}

/// The same for texts, which end in a zero.
pub(crate) fn filled_text(
    guess: usize,
    mut call: impl FnMut(*mut c_char, usize, *mut usize) -> sys::quern_status,
) -> Result<Vec<u8>> {
    let mut bytes = filled::<u8>(guess, |buffer, capacity, needed| call(buffer as *mut c_char, capacity, needed))?;
    bytes.pop();
    Ok(bytes)
}

/// Texts that C takes as an array of pointers; keeps them alive.
pub(crate) struct CTexts {
    _texts: Vec<CString>,
    pub(crate) pointers: Vec<*const c_char>,
}

impl CTexts {
    pub(crate) fn new(texts: &[String], what: &str) -> Result<Self> {
        let texts = texts.iter().map(|text| c_text(text, what)).collect::<Result<Vec<_>>>()?;
        let pointers = texts.iter().map(|text| text.as_ptr()).collect();
        Ok(CTexts { _texts: texts, pointers })
    }
}
