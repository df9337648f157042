//! Runs large language models on small hardware: a safe interface to Quern.
//!
//! ```no_run
//! use quern::{ChatSession, ContextOptions, GenerateOptions, Model};
//!
//! fn main() -> Result<(), quern::Error> {
//!     let model = Model::open("model.gguf")?;
//!     let mut chat = ChatSession::new(&model, &ContextOptions::default(), Some("You answer briefly."))?;
//!     chat.send_with("Why is the sky blue?", &GenerateOptions::default(), |text| {
//!         print!("{}", text);
//!         true // false stops
//!     })?;
//!     Ok(())
//! }
//! ```
//!
//! **Threads.** [`Runtime`], [`Model`], [`Adapter`], [`ChatTemplate`] and [`CancelToken`] may be used from many threads at once
//! (`Send` and `Sync`); the other types from one at a time, and they may move between threads (`Send`).
//!
//! **Errors** are [`Error`], which says what kind of failure it was and carries the library's message, which names the file, key,
//! tensor and value concerned.
//!
//! **Lifetimes.** Everything keeps alive what it stands on: a context its model, a model its runtime.
#![warn(missing_docs)]

mod callback;
mod chat;
mod chat_template;
mod context;
mod embed;
mod error;
mod generate;
mod model;
mod runtime;
mod sampler;
mod stream;
mod text;
mod tokenizer;

pub use chat::ChatSession;
pub use chat_template::{ChatTemplate, Message, Role, TemplateOptions};
pub use context::{BatchToken, CacheType, Context, ContextOptions};
pub use embed::{cosine_similarity, Embedder, EmbedderOptions, Embedding, Pooling};
pub use error::{Error, Result};
pub use generate::{GenerateOptions, Generation, StopReason, Timings};
pub use model::{Adapter, Footprint, Model, ModelInfo, ModelOptions};
pub use runtime::{CancelToken, LogLevel, Runtime, RuntimeOptions};
pub use sampler::{Candidate, Sampler, SamplerOptions};
pub use stream::Pieces;
pub use tokenizer::{TextStream, Tokenizer};

/// Index into a model's vocabulary.
pub type Token = i32;

/// The release of the library that is running, "major.minor.patch".
pub fn version() -> &'static str {
    // SAFETY: a static text.
    unsafe { text::static_text(quern_sys::quern_version()) }
}
