use crate::callback::{on_event, Callback, OnText};
use crate::error::{check, Result};
use crate::handle::{c_path, c_text, taken, Handle};
use crate::sys;
use std::ffi::CString;
use std::mem::{size_of, MaybeUninit};
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr::null;
use std::sync::Arc;

/// A picture, decoded. Cheap to share.
pub struct Image(Handle<sys::Image>);
// SAFETY: an octavo_image is immutable, and may be shared by threads.
unsafe impl Send for Handle<sys::Image> {}
unsafe impl Sync for Handle<sys::Image> {}

impl Image {
    /// The picture in `bytes` of a JPEG, PNG, WebP, GIF, BMP or PNM file.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let create = |out| unsafe { sys::octavo_image_decode(bytes.as_ptr().cast(), bytes.len(), null(), out) };
        Handle::create(sys::octavo_image_release, create).map(Self)
    }
    /// The picture in a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let create = |out| unsafe { sys::octavo_image_open(path.as_ptr(), null(), out) };
        Handle::create(sys::octavo_image_release, create).map(Self)
    }
    /// Width and height, in pixels.
    pub fn size(&self) -> Result<(i64, i64)> {
        let (mut width, mut height) = (0, 0);
        check(unsafe { sys::octavo_image_size(self.0.as_ptr(), &mut width, &mut height) })?;
        Ok((width, height))
    }
}

/// A conversation: messages with a role, and texts and pictures in order.
pub struct Messages(Handle<sys::Messages>);
// SAFETY: one thread at a time, which &mut sees to; reading from several is not promised, so no Sync.
unsafe impl Send for Handle<sys::Messages> {}

impl Messages {
    /// No message yet.
    pub fn new() -> Result<Self> {
        Handle::create(sys::octavo_messages_release, |out| unsafe { sys::octavo_messages_create(out) }).map(Self)
    }
    /// One message of the user: pictures, then the text.
    pub fn question(text: &str, images: &[&Image]) -> Result<Self> {
        let mut messages = Self::new()?;
        messages.message("user")?;
        for image in images {
            messages.image(image)?;
        }
        messages.text(text)?;
        Ok(messages)
    }
    /// Begins a message: "system", "user" or "assistant".
    pub fn message(&mut self, role: &str) -> Result<&mut Self> {
        let role = c_text(role)?;
        check(unsafe { sys::octavo_messages_add(self.0.as_ptr(), role.as_ptr(), null()) })?;
        Ok(self)
    }
    /// A text behind the last message's parts.
    pub fn text(&mut self, text: &str) -> Result<&mut Self> {
        let text = c_text(text)?;
        check(unsafe { sys::octavo_messages_add_text(self.0.as_ptr(), text.as_ptr()) })?;
        Ok(self)
    }
    /// A picture behind the last message's parts; it is shared, not copied.
    pub fn image(&mut self, image: &Image) -> Result<&mut Self> {
        check(unsafe { sys::octavo_messages_add_image(self.0.as_ptr(), image.0.as_ptr()) })?;
        Ok(self)
    }
}

/// Asks running jobs to stop, from any thread. Clones ask the same jobs.
#[derive(Clone)]
pub struct Cancel(Arc<Handle<sys::Cancel>>);
// SAFETY: octavo_cancel may be requested and reset from any thread.
unsafe impl Send for Handle<sys::Cancel> {}
unsafe impl Sync for Handle<sys::Cancel> {}

impl Cancel {
    /// Nothing is asked yet.
    pub fn new() -> Result<Self> {
        let handle = Handle::create(sys::octavo_cancel_release, |out| unsafe { sys::octavo_cancel_create(out) })?;
        Ok(Self(Arc::new(handle)))
    }
    /// Jobs that were given this stop.
    pub fn request(&self) {
        unsafe { sys::octavo_cancel_request(self.0.as_ptr()) }
    }
    /// Jobs that begin from now on run.
    pub fn reset(&self) {
        unsafe { sys::octavo_cancel_reset(self.0.as_ptr()) }
    }
    pub(crate) fn as_ptr(&self) -> *const sys::Cancel {
        self.0.as_ptr()
    }
}

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// As generation_config.json says.
    FromModel,
    /// The best token.
    Greedy,
    /// Drawn; a temperature of 0 is greedy.
    Random {
        /// 0 and above.
        temperature: f64,
        /// 0 to 1; 1 is off.
        top_p: f64,
        /// 0 is off.
        top_k: i64,
        /// The same seed draws the same tokens.
        seed: u64,
    },
}

/// How an answer is made.
#[derive(Clone)]
pub struct Options {
    /// Tokens; none: what the model's files say, else 256.
    pub max_new_tokens: Option<i64>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Texts that end the answer, and are left out of it.
    pub stop: Vec<String>,
    /// Stops the generation from another thread.
    pub cancel: Option<Cancel>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_new_tokens: None, sampling: Sampling::FromModel, stop: Vec::new(), cancel: None }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model, or a stop text, ended it.
    Stop,
    /// It reached max_new_tokens.
    Length,
    /// A [`Cancel`] or the callback ended it.
    Cancelled,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Special tokens left out.
    pub text: String,
    /// Ids of the new tokens, the stop token included.
    pub tokens: Vec<i32>,
    /// Tokens of the prompt, pictures included.
    pub prompt_tokens: i64,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

/// An opened model; clones share it, and so may threads.
#[derive(Clone)]
pub struct Model(Arc<Handle<sys::Model>>);
// SAFETY: an octavo_model is immutable, and may be shared by threads.
unsafe impl Send for Handle<sys::Model> {}
unsafe impl Sync for Handle<sys::Model> {}

impl Model {
    /// Opens a model directory, quantized or not.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = c_path(directory.as_ref())?;
        let create = |out| unsafe { sys::octavo_model_open_with(directory.as_ptr(), null(), out) };
        Ok(Self(Arc::new(Handle::create(sys::octavo_model_release, create)?)))
    }
    /// What the model's files ask for and Octavo does not do, a line each.
    pub fn notes(&self) -> Result<String> {
        let mut text = std::ptr::null_mut();
        check(unsafe { sys::octavo_model_notes(self.0.as_ptr(), &mut text) })?;
        Ok(taken(text))
    }
    /// The answer to a conversation.
    pub fn generate(&self, messages: &Messages, options: &Options) -> Result<Answer> {
        self.run(messages, options, None)
    }
    /// The same, told as it comes: `on_text` gets the text that became complete, and may end the answer.
    pub fn generate_with(
        &self,
        messages: &Messages,
        options: &Options,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer> {
        self.run(messages, options, Some(&mut on_text))
    }

    fn run<'a>(&self, messages: &Messages, options: &Options, on_text: Option<&'a mut OnText<'a>>) -> Result<Answer> {
        let create = |out| unsafe { sys::octavo_prompt_create(self.0.as_ptr(), messages.0.as_ptr(), null(), out) };
        let prompt = Handle::create(sys::octavo_prompt_release, create)?;
        let stop = options.stop.iter().map(|text| c_text(text)).collect::<Result<Vec<CString>>>()?;
        let stop_pointers: Vec<_> = stop.iter().map(|text| text.as_ptr()).collect();
        let mut raw = raw_options(options)?;
        raw.stop_strings = stop_pointers.as_ptr();
        raw.stop_string_count = stop_pointers.len();
        let mut callback = on_text.map(Callback::new);
        if let Some(callback) = &mut callback {
            raw.on_event = Some(on_event);
            raw.user_data = callback.user_data();
        }
        // SAFETY: everything that `raw` points to lives until the call is back; zero is a result's initial state.
        let mut result = unsafe { MaybeUninit::<sys::GenerateResult>::zeroed().assume_init() };
        result.struct_size = size_of::<sys::GenerateResult>();
        let status = unsafe { sys::octavo_generate_prompt(self.0.as_ptr(), prompt.as_ptr(), &raw, &mut result) };
        let outcome = check(status).map(|()| unsafe { answer_of(&mut result) });
        if let Some(callback) = callback {
            callback.resume();
        }
        outcome
    }
}

fn raw_options(options: &Options) -> Result<sys::GenerateOptions> {
    // SAFETY: all fields are numbers and pointers; the library then sets its defaults.
    let mut raw = unsafe { MaybeUninit::<sys::GenerateOptions>::zeroed().assume_init() };
    raw.struct_size = size_of::<sys::GenerateOptions>();
    check(unsafe { sys::octavo_generate_options_init(&mut raw) })?;
    raw.max_new_tokens = options.max_new_tokens.unwrap_or(0);
    raw.cancel = options.cancel.as_ref().map_or(null(), Cancel::as_ptr);
    match options.sampling {
        Sampling::FromModel => raw.sampling = 0,
        Sampling::Greedy => raw.sampling = 1,
        Sampling::Random { temperature, top_p, top_k, seed } => {
            raw.sampling = 2;
            raw.temperature = temperature;
            raw.top_p = top_p;
            raw.top_k = top_k;
            raw.seed = seed;
        }
    }
    Ok(raw)
}

/// # Safety
/// `result` was filled by a call that succeeded; what it owns is copied, and released.
unsafe fn answer_of(result: &mut sys::GenerateResult) -> Answer {
    let slice = |pointer: *const u8, size: usize| match size {
        0 => &[][..],
        _ => std::slice::from_raw_parts(pointer, size),
    };
    let text = String::from_utf8_lossy(slice(result.text.cast(), result.text_size)).into_owned();
    let tokens = match result.new_tokens {
        0 => Vec::new(),
        count => std::slice::from_raw_parts(result.tokens, count as usize).to_vec(),
    };
    let finish_reason = match result.finish_reason {
        0 => FinishReason::Stop,
        1 => FinishReason::Length,
        _ => FinishReason::Cancelled,
    };
    let answer = Answer { text, tokens, prompt_tokens: result.prompt_tokens, finish_reason };
    sys::octavo_generate_result_release(result);
    answer
}
