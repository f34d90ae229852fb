use crate::callback::{on_progress, Callback, OnProgress};
use crate::error::{check, Result};
use crate::handle::{c_path, c_text, taken};
use crate::model::Cancel;
use crate::sys;
use std::ffi::CString;
use std::mem::{size_of, MaybeUninit};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::ptr::null;

/// How a model is quantized.
#[derive(Clone, Default)]
pub struct Quantize {
    /// A preset's name ("default", "rtn", "vision", "w8a16") or a file; none: "default".
    pub recipe: Option<String>,
    /// A samples file; none for recipes that need no samples.
    pub calibration: Option<PathBuf>,
    /// None: all.
    pub max_samples: Option<i64>,
    /// Replaces an earlier output of Octavo's, and nothing else.
    pub overwrite: bool,
    /// Stops the job from another thread.
    pub cancel: Option<Cancel>,
}

impl Quantize {
    /// Quantizes `model` into `out`, which is complete afterwards, or absent. The report, as JSON.
    pub fn run(&self, model: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<String> {
        self.run_with(model, out, |_, _, _| ControlFlow::Continue(()))
    }
    /// The same, watched: `progress` gets the stage, and how much of how much is done; it may end the job.
    pub fn run_with(
        &self,
        model: impl AsRef<Path>,
        out: impl AsRef<Path>,
        mut progress: impl FnMut(&str, i64, i64) -> ControlFlow<()>,
    ) -> Result<String> {
        let (model, out) = (c_path(model.as_ref())?, c_path(out.as_ref())?);
        let recipe = self.recipe.as_deref().map(c_text).transpose()?;
        let calibration = self.calibration.as_deref().map(c_path).transpose()?;
        let mut callback: Callback<'_, OnProgress<'_>> = Callback::new(&mut progress);
        // SAFETY: zero is every field's default.
        let mut options = unsafe { MaybeUninit::<sys::QuantizeOptions>::zeroed().assume_init() };
        options.struct_size = size_of::<sys::QuantizeOptions>();
        options.recipe = pointer(&recipe);
        options.calibration = pointer(&calibration);
        options.max_samples = self.max_samples.unwrap_or(0);
        options.overwrite = i32::from(self.overwrite);
        options.cancel = self.cancel.as_ref().map_or(null(), Cancel::as_ptr);
        options.progress = Some(on_progress);
        options.user_data = callback.user_data();
        let mut json = std::ptr::null_mut();
        let outcome = check(unsafe { sys::octavo_quantize(model.as_ptr(), out.as_ptr(), &options, &mut json) });
        callback.resume();
        outcome.map(|()| taken(json))
    }
}

/// How a quantized model is held against its original.
#[derive(Clone, Default)]
pub struct Verify {
    /// A samples file; none: built-in prompts, and no evaluation.
    pub samples: Option<PathBuf>,
    /// None: all.
    pub max_samples: Option<i64>,
    /// Stops the job from another thread.
    pub cancel: Option<Cancel>,
}

/// What a verification found.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Every step passed.
    pub passed: bool,
    /// Everything, as JSON (docs/verify.md).
    pub json: String,
}

impl Verify {
    /// Does `quantized` still answer like `original`?
    pub fn run(&self, original: impl AsRef<Path>, quantized: impl AsRef<Path>) -> Result<Verdict> {
        let (original, quantized) = (c_path(original.as_ref())?, c_path(quantized.as_ref())?);
        let samples = self.samples.as_deref().map(c_path).transpose()?;
        // SAFETY: zero is every field's default.
        let mut options = unsafe { MaybeUninit::<sys::VerifyOptions>::zeroed().assume_init() };
        options.struct_size = size_of::<sys::VerifyOptions>();
        options.samples = pointer(&samples);
        options.max_samples = self.max_samples.unwrap_or(0);
        options.cancel = self.cancel.as_ref().map_or(null(), Cancel::as_ptr);
        let (mut passed, mut json) = (0, std::ptr::null_mut());
        check(unsafe { sys::octavo_verify(original.as_ptr(), quantized.as_ptr(), &options, &mut passed, &mut json) })?;
        Ok(Verdict { passed: passed != 0, json: taken(json) })
    }
}

fn pointer(text: &Option<CString>) -> *const std::os::raw::c_char {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}
