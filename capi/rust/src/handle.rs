use crate::error::{check, Error, ErrorKind, Result};
use crate::sys;
use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;

/// Owns a handle of the library, and releases it.
pub(crate) struct Handle<T> {
    pointer: NonNull<T>,
    release: unsafe extern "C" fn(*mut T),
}

impl<T> Handle<T> {
    /// What `create` makes, to be released by `release`.
    pub fn create(
        release: unsafe extern "C" fn(*mut T),
        create: impl FnOnce(*mut *mut T) -> sys::Status,
    ) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        check(create(&mut raw))?;
        Ok(Self::owning(raw, release))
    }
    pub fn owning(raw: *mut T, release: unsafe extern "C" fn(*mut T)) -> Self {
        let pointer = NonNull::new(raw).expect("the library gives a handle where it succeeds");
        Self { pointer, release }
    }
    pub fn as_ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours alone, and is not used again.
        unsafe { (self.release)(self.as_ptr()) }
    }
}

/// Text for C. Fails where it holds a 0, which would end it there.
pub(crate) fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(ErrorKind::InvalidArgument, "a text holds a 0 character"))
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(ErrorKind::InvalidArgument, "a path holds a 0 character"))
}

/// A string that the library made for us.
pub(crate) fn taken(text: *mut std::os::raw::c_char) -> String {
    // SAFETY: the string ends with 0 and is ours; it is copied before it is released.
    unsafe {
        let copy = crate::error::copied(text);
        sys::octavo_string_release(text);
        copy
    }
}
