use crate::callback::{on_token, Callback, TextFn};
use crate::error::{check, Result};
use crate::runtime::{cancel_ptr, CancelToken};
use crate::sampler::{RawSampler, SamplerOptions};
use crate::text::CTexts;
use crate::Token;
use quern_sys as sys;
use std::ptr;

/// How text is generated.
#[derive(Clone, Default)]
pub struct GenerateOptions {
    /// 0: until the model ends or the context is full.
    pub max_tokens: i32,
    /// How tokens are chosen.
    pub sampler: SamplerOptions,
    /// Texts that end the generation; they are not part of the output.
    pub stop: Vec<String>,
    /// Ends the generation with what there is, which is not an error.
    pub cancel: Option<CancelToken>,
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// `max_tokens` were made.
    Length,
    /// The model ended it.
    EndOfGeneration,
    /// One of the stop texts came.
    StopText,
    /// The callback or the cancel token ended it.
    Cancelled,
    /// The context has no room left.
    ContextFull,
    /// One that this version of the crate does not know.
    Other,
}

/// What a generation took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Prompt tokens that were computed.
    pub n_prompt: u32,
    /// Prompt tokens found in the cache.
    pub n_cached: u32,
    /// Tokens that were made.
    pub n_generated: u32,
    /// For the prompt.
    pub prompt_seconds: f64,
    /// For the answer.
    pub generate_seconds: f64,
}

/// The result of a generation.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The text; what is not UTF-8 is U+FFFD.
    pub text: String,
    /// The tokens, without the one that ended it and those of a stop text.
    pub tokens: Vec<Token>,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// What it took.
    pub timings: Timings,
}

/// Calls a function that generates, with the options in their C form and the callback.
pub(crate) fn run(
    options: &GenerateOptions,
    on_text: Option<&mut TextFn<'_>>,
    call: impl FnOnce(*const sys::quern_generate_options, *mut *mut sys::quern_generation) -> sys::quern_status,
) -> Result<Generation> {
    let sampler = RawSampler::new(&options.sampler)?;
    let stop = CTexts::new(&options.stop, "a stop text")?;
    let mut callback = Callback::new(on_text);
    let mut raw = sys::quern_generate_options::new();
    raw.max_tokens = options.max_tokens;
    raw.sampler = &sampler.raw;
    if !stop.pointers.is_empty() {
        raw.stop = stop.pointers.as_ptr();
        raw.n_stop = stop.pointers.len();
    }
    raw.cancel = cancel_ptr(&options.cancel);
    if callback.is_some() {
        raw.on_token = Some(on_token);
        raw.on_token_user = callback.user();
    }
    let mut handle = ptr::null_mut();
    let result = check(call(&raw, &mut handle)).and_then(|()| {
        // SAFETY: the handle lives until it is closed below, and what it hands out is copied.
        unsafe { taken(handle) }
    });
    // SAFETY: NULL, or the only owner.
    unsafe { sys::quern_generation_close(handle) };
    callback.finish();
    result
}

unsafe fn taken(handle: *const sys::quern_generation) -> Result<Generation> {
    let mut size = 0;
    let text = sys::quern_generation_text(handle, &mut size);
    let text = String::from_utf8_lossy(std::slice::from_raw_parts(text as *const u8, size)).into_owned();
    let mut n_tokens = 0;
    let tokens = sys::quern_generation_tokens(handle, &mut n_tokens);
    let tokens = if n_tokens == 0 { Vec::new() } else { std::slice::from_raw_parts(tokens, n_tokens).to_vec() };
    let mut timings = sys::quern_timings::new();
    check(sys::quern_generation_get_timings(handle, &mut timings))?;
    Ok(Generation {
        text,
        tokens,
        stop_reason: match sys::quern_generation_stop_reason(handle) {
            sys::QUERN_STOP_LENGTH => StopReason::Length,
            sys::QUERN_STOP_END_OF_GENERATION => StopReason::EndOfGeneration,
            sys::QUERN_STOP_TEXT => StopReason::StopText,
            sys::QUERN_STOP_CANCELLED => StopReason::Cancelled,
            sys::QUERN_STOP_CONTEXT_FULL => StopReason::ContextFull,
            _ => StopReason::Other,
        },
        timings: Timings {
            n_prompt: timings.n_prompt,
            n_cached: timings.n_cached,
            n_generated: timings.n_generated,
            prompt_seconds: timings.prompt_seconds,
            generate_seconds: timings.generate_seconds,
        },
    })
}
