use crate::callback::TextFn;
use crate::error::{check, Result};
use crate::generate::{run, GenerateOptions, Generation};
use crate::runtime::{cancel_ptr, CancelToken};
use crate::stream::Pieces;
use crate::text::filled;
use crate::{Adapter, Model, SamplerOptions, Token};
use quern_sys as sys;
use std::ptr;

/// Element type of cached keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CacheType {
    F16,
    F32,
    Q8_0,
    Q4_0,
}

impl CacheType {
    fn raw(self) -> i32 {
        match self {
            CacheType::F16 => sys::QUERN_CACHE_F16,
            CacheType::F32 => sys::QUERN_CACHE_F32,
            CacheType::Q8_0 => sys::QUERN_CACHE_Q8_0,
            CacheType::Q4_0 => sys::QUERN_CACHE_Q4_0,
        }
    }
}

/// How much a context holds.
#[derive(Clone, Debug)]
pub struct ContextOptions {
    /// Cached tokens, all sequences together. 0: the model's training context.
    pub n_ctx: u32,
    /// Tokens of one pass through the model. 0: 512.
    pub n_batch: u32,
    /// Sequences are 0 to n_seq_max - 1. 0: 1.
    pub n_seq_max: u32,
    /// Of keys.
    pub type_k: CacheType,
    /// Of values.
    pub type_v: CacheType,
}

impl Default for ContextOptions {
    fn default() -> Self {
        ContextOptions { n_ctx: 0, n_batch: 0, n_seq_max: 0, type_k: CacheType::F16, type_v: CacheType::F16 }
    }
}

impl ContextOptions {
    pub(crate) fn raw(&self) -> sys::quern_context_options {
        let mut raw = sys::quern_context_options::new();
        raw.n_ctx = self.n_ctx;
        raw.n_batch = self.n_batch;
        raw.n_seq_max = self.n_seq_max;
        raw.type_k = self.type_k.raw();
        raw.type_v = self.type_v.raw();
        raw
    }
}

/// One token of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchToken {
    /// The token.
    pub token: Token,
    /// Must exceed every position that its sequence holds.
    pub position: i32,
    /// Which sequence it is appended to.
    pub sequence: i32,
    /// Compute this row's logits.
    pub logits: bool,
}

/// The key-value cache of sequences, and the forward pass of a model.
pub struct Context {
    handle: *mut sys::quern_context,
    model: Model,
}

// SAFETY: quern_c.h: from one thread at a time.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the only owner.
        unsafe { sys::quern_context_close(self.handle) }
    }
}

impl Context {
    /// A context with empty sequences.
    pub fn new(model: &Model, options: &ContextOptions) -> Result<Self> {
        let mut handle = ptr::null_mut();
        // SAFETY: the context keeps the model alive.
        check(unsafe { sys::quern_context_create(model.as_ptr(), &options.raw(), &mut handle) })?;
        Ok(Context { handle, model: model.clone() })
    }

    /// The model that it runs.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Runs the tokens and appends them to their sequences. On an error the sequences are as they were.
    pub fn decode(&mut self, batch: &[BatchToken]) -> Result<()> {
        let raw: Vec<_> = batch
            .iter()
            .map(|t| sys::quern_batch_token {
                token: t.token,
                position: t.position,
                sequence: t.sequence,
                logits: t.logits as i32,
            })
            .collect();
        // SAFETY: the slice is as long as said; the handle lives, here and below.
        check(unsafe { sys::quern_context_decode(self.handle, raw.as_ptr(), raw.len(), ptr::null()) })
    }

    /// Appends tokens to one sequence, with the logits of the last one.
    pub fn append(&mut self, tokens: &[Token], sequence: i32) -> Result<()> {
        self.append_with(tokens, sequence, false, None)
    }

    /// The same with the logits of all tokens where asked for, and a token that stops it.
    pub fn append_with(
        &mut self,
        tokens: &[Token],
        sequence: i32,
        all_logits: bool,
        cancel: Option<CancelToken>,
    ) -> Result<()> {
        let mut options = sys::quern_decode_options::new();
        options.cancel = cancel_ptr(&cancel);
        let (from, n) = (tokens.as_ptr(), tokens.len());
        check(unsafe { sys::quern_context_append(self.handle, from, n, sequence, all_logits as i32, &options) })
    }

    /// Logits of the i-th row of the last decode that asked for them.
    pub fn logits(&self, index: usize) -> Option<&[f32]> {
        // SAFETY: n_vocab numbers, valid until the next decode, which needs `self` alone.
        unsafe { self.row(sys::quern_context_logits(self.handle, index)) }
    }
    /// Of the last such row.
    pub fn last_logits(&self) -> Option<&[f32]> {
        // SAFETY: as above.
        unsafe { self.row(sys::quern_context_last_logits(self.handle)) }
    }
    unsafe fn row(&self, logits: *const f32) -> Option<&[f32]> {
        if logits.is_null() {
            return None;
        }
        Some(std::slice::from_raw_parts(logits, sys::quern_n_tokens(self.model.as_ptr()) as usize))
    }

    /// Continues a prompt on sequence 0. What the sequence has in common with it is not computed again.
    pub fn generate(&mut self, prompt: &[Token], options: &GenerateOptions) -> Result<Generation> {
        self.run(prompt, options, None)
    }

    /// The same; `on_text` gets the text as it becomes certain, and returns whether to go on.
    pub fn generate_with(
        &mut self,
        prompt: &[Token],
        options: &GenerateOptions,
        mut on_text: impl FnMut(&str) -> bool,
    ) -> Result<Generation> {
        self.run(prompt, options, Some(&mut on_text))
    }

    fn run(
        &mut self,
        prompt: &[Token],
        options: &GenerateOptions,
        on_text: Option<&mut TextFn<'_>>,
    ) -> Result<Generation> {
        run(options, on_text, |options, out| unsafe {
            sys::quern_generate(self.handle, prompt.as_ptr(), prompt.len(), options, out)
        })
    }

    /// Continues a prompt on sequence 0, token by token, as an iterator over pieces of text. It ends where the model does, or
    /// where the context is full; `take()` and `break` end it earlier.
    pub fn pieces(&mut self, prompt: &[Token], sampler: &SamplerOptions) -> Result<Pieces<'_>> {
        Pieces::new(self, prompt, sampler)
    }

    /// How many tokens a sequence holds.
    pub fn sequence_length(&self, sequence: i32) -> usize {
        unsafe { sys::quern_context_sequence_length(self.handle, sequence) as usize }
    }
    /// The position that follows the last one of a sequence.
    pub fn next_position(&self, sequence: i32) -> i32 {
        unsafe { sys::quern_context_next_position(self.handle, sequence) }
    }
    /// The tokens of a sequence.
    pub fn sequence_tokens(&self, sequence: i32) -> Result<Vec<Token>> {
        filled(self.sequence_length(sequence), |buffer, capacity, needed| unsafe {
            sys::quern_context_sequence_tokens(self.handle, sequence, buffer, capacity, needed)
        })
    }
    /// Forgets the tokens of a sequence at positions `from` to `to`, the latter excluded; below 0: the end.
    pub fn sequence_remove(&mut self, sequence: i32, from: i32, to: i32) -> Result<()> {
        check(unsafe { sys::quern_context_sequence_remove(self.handle, sequence, from, to) })
    }
    /// Goes back to a position, or as close before it as the model's memory allows, which is returned.
    pub fn sequence_rewind(&mut self, sequence: i32, position: i32) -> Result<i32> {
        let mut reached = 0;
        check(unsafe { sys::quern_context_sequence_rewind(self.handle, sequence, position, &mut reached) })?;
        Ok(reached)
    }
    /// Makes `to` a copy of `from`, sharing memory until they diverge.
    pub fn sequence_fork(&mut self, from: i32, to: i32) -> Result<()> {
        check(unsafe { sys::quern_context_sequence_fork(self.handle, from, to) })
    }
    /// Forgets every sequence but this one.
    pub fn sequence_keep(&mut self, sequence: i32) -> Result<()> {
        check(unsafe { sys::quern_context_sequence_keep(self.handle, sequence) })
    }
    /// The state of a sequence as bytes.
    pub fn sequence_save(&self, sequence: i32) -> Result<Vec<u8>> {
        filled(0, |buffer, capacity, needed| unsafe {
            sys::quern_context_sequence_save(self.handle, sequence, buffer as *mut _, capacity, needed)
        })
    }
    /// Back from bytes, in a context of the same model, cache types and backend.
    pub fn sequence_restore(&mut self, sequence: i32, state: &[u8]) -> Result<()> {
        let (bytes, size) = (state.as_ptr() as *const _, state.len());
        check(unsafe { sys::quern_context_sequence_restore(self.handle, sequence, bytes, size) })
    }
    /// What an empty sequence is to be computed with, each adapter with a scale; none: the model as it is.
    pub fn set_adapters(&mut self, sequence: i32, adapters: &[(Adapter, f32)]) -> Result<()> {
        let raw: Vec<_> = adapters
            .iter()
            .map(|(adapter, scale)| sys::quern_adapter_use { adapter: adapter.as_ptr(), scale: *scale, reserved: 0 })
            .collect();
        check(unsafe { sys::quern_context_set_adapters(self.handle, sequence, raw.as_ptr(), raw.len()) })
    }
    /// Forgets everything.
    pub fn clear(&mut self) {
        unsafe { sys::quern_context_clear(self.handle) }
    }
    /// How many tokens fit.
    pub fn n_ctx(&self) -> usize {
        unsafe { sys::quern_context_n_ctx(self.handle) as usize }
    }
    /// How many there are.
    pub fn n_used(&self) -> usize {
        unsafe { sys::quern_context_n_used(self.handle) as usize }
    }
}
