//! Octavo: quantizes vision-language models to W8A8 with GPTQ, verifies the result, and runs it on a CPU.
//!
//! ```no_run
//! use octavo::{Image, Messages, Model, Options};
//!
//! fn main() -> octavo::Result<()> {
//!     let model = Model::open("Qwen2.5-VL-3B-w8a8")?;
//!     let picture = Image::decode(&std::fs::read("cat.jpg").expect("a picture"))?;
//!     let question = Messages::question("What is this?", &[&picture])?;
//!     println!("{}", model.generate(&question, &Options::default())?.text);
//!     Ok(())
//! }
//! ```
//!
//! Models, pictures and linears are immutable, and shared between threads. Nothing here needs `unsafe` of its caller.
#![deny(missing_docs)]
mod callback;
mod error;
mod handle;
mod jobs;
mod model;
#[doc(hidden)]
pub mod sys;
mod tensor;

pub use error::{Error, ErrorKind, Result, ShapeError};
pub use jobs::{Quantize, Verdict, Verify};
pub use model::{Answer, Cancel, FinishReason, Image, Messages, Model, Options, Sampling};
pub use tensor::{Element, Hessian, Linear, QuantizedLayer, Tensor};

/// The version of the library that is loaded: "0.1.0".
pub fn version() -> String {
    // SAFETY: a string that is never released.
    unsafe { error::copied(sys::octavo_version()) }
}
