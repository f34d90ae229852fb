//! Closures as C callbacks. A panic must not cross C: it is kept, stops the job, and goes on when the call is back.
use crate::error::copied;
use crate::sys;
use std::any::Any;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

pub(crate) struct Callback<'a, F: ?Sized> {
    call: &'a mut F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a, F: ?Sized> Callback<'a, F> {
    pub fn new(call: &'a mut F) -> Self {
        Self { call, panic: None }
    }
    pub fn user_data(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }
    /// To be called when the C function has returned.
    pub fn resume(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
    fn run(&mut self, job: impl FnOnce(&mut F) -> ControlFlow<()>) -> i32 {
        match catch_unwind(AssertUnwindSafe(|| job(self.call))) {
            Ok(ControlFlow::Continue(())) => 0,
            Ok(ControlFlow::Break(())) => 1,
            Err(panic) => {
                self.panic = Some(panic);
                1
            }
        }
    }
}

pub(crate) type OnText<'a> = dyn FnMut(&str) -> ControlFlow<()> + 'a;
pub(crate) type OnProgress<'a> = dyn FnMut(&str, i64, i64) -> ControlFlow<()> + 'a;

/// # Safety
/// `user_data` is that of a `Callback<OnText>`; the library calls from the thread that generates.
pub(crate) unsafe extern "C" fn on_event(event: *const sys::TokenEvent, user_data: *mut c_void) -> i32 {
    let callback = &mut *user_data.cast::<Callback<'_, OnText<'_>>>();
    let bytes = std::slice::from_raw_parts((*event).text.cast::<u8>(), (*event).text_size);
    callback.run(|call| call(&String::from_utf8_lossy(bytes)))
}

/// # Safety
/// `user_data` is that of a `Callback<OnProgress>`.
pub(crate) unsafe extern "C" fn on_progress(
    stage: *const c_char,
    done: i64,
    total: i64,
    user_data: *mut c_void,
) -> i32 {
    let callback = &mut *user_data.cast::<Callback<'_, OnProgress<'_>>>();
    callback.run(|call| call(&copied(stage), done, total))
}
