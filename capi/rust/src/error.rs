use crate::sys;
use std::ffi::CStr;
use std::fmt;
use std::os::raw::c_char;

/// What kind of failure it was; the values are octavo_status's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value is outside its domain.
    InvalidArgument,
    /// A shape contract is broken: see [`Error::shape`].
    ShapeMismatch,
    /// The shape fits, the element type does not.
    DtypeMismatch,
    /// A file, tensor or key that must exist does not.
    NotFound,
    /// The operating system refused to read or write.
    Io,
    /// Bytes that are not what their name promises.
    Format,
    /// Well-formed, but outside what this library does.
    Unsupported,
    /// There is not enough memory.
    OutOfMemory,
    /// A [`crate::Cancel`] or a callback stopped the job.
    Cancelled,
    /// An output that would be overwritten.
    Exists,
    /// NaN or infinity among weights, activations or logits.
    NotFinite,
    /// A bug in Octavo, or a status that this crate does not know.
    Internal,
}

impl ErrorKind {
    fn of(status: sys::Status) -> Self {
        match status {
            1 => Self::InvalidArgument,
            2 => Self::ShapeMismatch,
            3 => Self::DtypeMismatch,
            4 => Self::NotFound,
            5 => Self::Io,
            6 => Self::Format,
            7 => Self::Unsupported,
            8 => Self::OutOfMemory,
            9 => Self::Cancelled,
            10 => Self::Exists,
            11 => Self::NotFinite,
            _ => Self::Internal,
        }
    }
}

/// The fields of a broken shape contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError {
    /// The operation: "attention".
    pub op: String,
    /// Module path in the model, may be empty.
    pub module: String,
    /// "mask".
    pub argument: String,
    /// "Lk (kv_len)".
    pub dim_name: String,
    /// Index of the dimension, outermost first; -1 when the rank or the element type is at fault.
    pub dim: i64,
    /// What the contract asks for.
    pub expected: i64,
    /// What was given.
    pub actual: i64,
}

/// Every failure: a kind, one clear line, and for a broken contract its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    shape: Option<Box<ShapeError>>,
}

/// What calls return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), shape: None }
    }
    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
    /// The fields of a broken shape contract; none for other failures.
    pub fn shape(&self) -> Option<&ShapeError> {
        self.shape.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// A C string that lives at least until it is copied here.
///
/// # Safety
/// `text` is null or ends with 0.
pub(crate) unsafe fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

/// Turns a status into a result. To be called by the thread that made the failing call, before its next one: the
/// library keeps one last error for each thread.
pub(crate) fn check(status: sys::Status) -> Result<()> {
    if status == sys::OK {
        return Ok(());
    }
    // SAFETY: strings of the last error stay valid until this thread's next failing call; they are copied at once.
    unsafe {
        let mut fields = sys::ShapeError {
            struct_size: std::mem::size_of::<sys::ShapeError>(),
            op: std::ptr::null(),
            module: std::ptr::null(),
            argument: std::ptr::null(),
            dim_name: std::ptr::null(),
            dim: 0,
            expected: 0,
            actual: 0,
        };
        let message = copied(sys::octavo_last_error());
        let shape = (sys::octavo_last_shape_error(&mut fields) == sys::OK).then(|| {
            Box::new(ShapeError {
                op: copied(fields.op),
                module: copied(fields.module),
                argument: copied(fields.argument),
                dim_name: copied(fields.dim_name),
                dim: fields.dim,
                expected: fields.expected,
                actual: fields.actual,
            })
        });
        Err(Error { kind: ErrorKind::of(status), message, shape })
    }
}
