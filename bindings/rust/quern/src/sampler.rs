use crate::error::{check, Result};
use crate::text::{c_text, CTexts};
use crate::{Model, Token};
use quern_sys as sys;
use std::ffi::CString;
use std::ptr;

/// How tokens are chosen. `Default` has llama.cpp's defaults; "off" tells the value that switches a step off.
#[derive(Clone, Debug)]
pub struct SamplerOptions {
    /// None: a random one, which [`Sampler::seed`] tells.
    pub seed: Option<u32>,
    /// 0.8; 0 or less: greedy.
    pub temperature: f32,
    /// 40; off at 0 or less.
    pub top_k: i32,
    /// 0.95; off 1.
    pub top_p: f32,
    /// 0.05; off 0.
    pub min_p: f32,
    /// Off 1.
    pub typical_p: f32,
    /// -1; off at 0 or less.
    pub top_n_sigma: f32,
    /// Off 0.
    pub xtc_probability: f32,
    /// 0.1.
    pub xtc_threshold: f32,
    /// 64; 0 off, -1 all.
    pub penalty_last_n: i32,
    /// Off 1.
    pub repeat_penalty: f32,
    /// Off 0.
    pub frequency_penalty: f32,
    /// Off 0.
    pub presence_penalty: f32,
    /// Off 0.
    pub dry_multiplier: f32,
    /// 1 or 2; off 0.
    pub mirostat: i32,
    /// 5.
    pub mirostat_tau: f32,
    /// 0.1.
    pub mirostat_eta: f32,
    /// Forbids the tokens that end a generation.
    pub ignore_eos: bool,
    /// Added to the logits of tokens; negative infinity forbids one.
    pub logit_bias: Vec<(Token, f32)>,
    /// Texts that interrupt what DRY looks at. None: newline, colon, double quote, asterisk.
    pub dry_sequence_breakers: Option<Vec<String>>,
    /// The steps, a letter each, as in quern_c.h; None: all in their usual order.
    pub order: Option<String>,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        let raw = sys::quern_sampler_options::new();
        SamplerOptions {
            seed: None,
            temperature: raw.temperature,
            top_k: raw.top_k,
            top_p: raw.top_p,
            min_p: raw.min_p,
            typical_p: raw.typical_p,
            top_n_sigma: raw.top_n_sigma,
            xtc_probability: raw.xtc_probability,
            xtc_threshold: raw.xtc_threshold,
            penalty_last_n: raw.penalty_last_n,
            repeat_penalty: raw.repeat_penalty,
            frequency_penalty: raw.frequency_penalty,
            presence_penalty: raw.presence_penalty,
            dry_multiplier: raw.dry_multiplier,
            mirostat: raw.mirostat,
            mirostat_tau: raw.mirostat_tau,
            mirostat_eta: raw.mirostat_eta,
            ignore_eos: false,
            logit_bias: Vec::new(),
            dry_sequence_breakers: None,
            order: None,
        }
    }
}

impl SamplerOptions {
    /// The most probable token, always.
    pub fn greedy() -> Self {
        SamplerOptions { temperature: 0.0, ..Default::default() }
    }
}

/// The C form of the options; keeps what it points to alive.
pub(crate) struct RawSampler {
    pub(crate) raw: sys::quern_sampler_options,
    _bias: Vec<sys::quern_logit_bias>,
    _breakers: Option<CTexts>,
    _order: Option<CString>,
}

impl RawSampler {
    pub(crate) fn new(options: &SamplerOptions) -> Result<Self> {
        let bias: Vec<_> =
            options.logit_bias.iter().map(|&(token, bias)| sys::quern_logit_bias { token, bias }).collect();
        let breakers =
            options.dry_sequence_breakers.as_deref().map(|b| CTexts::new(b, "a sequence breaker")).transpose()?;
        let order = options.order.as_deref().map(|order| c_text(order, "order")).transpose()?;
        let mut raw = sys::quern_sampler_options::new();
        raw.seed = options.seed.unwrap_or(sys::QUERN_RANDOM_SEED);
        raw.temperature = options.temperature;
        raw.top_k = options.top_k;
        raw.top_p = options.top_p;
        raw.min_p = options.min_p;
        raw.typical_p = options.typical_p;
        raw.top_n_sigma = options.top_n_sigma;
        raw.xtc_probability = options.xtc_probability;
        raw.xtc_threshold = options.xtc_threshold;
        raw.penalty_last_n = options.penalty_last_n;
        raw.repeat_penalty = options.repeat_penalty;
        raw.frequency_penalty = options.frequency_penalty;
        raw.presence_penalty = options.presence_penalty;
        raw.dry_multiplier = options.dry_multiplier;
        raw.mirostat = options.mirostat;
        raw.mirostat_tau = options.mirostat_tau;
        raw.mirostat_eta = options.mirostat_eta;
        raw.ignore_eos = options.ignore_eos as i32;
        if !bias.is_empty() {
            raw.logit_bias = bias.as_ptr();
            raw.n_logit_bias = bias.len();
        }
        if let Some(breakers) = &breakers {
            // Not NULL even where there are none, which stands for the default ones.
            raw.dry_sequence_breakers = breakers.pointers.as_ptr();
            raw.n_dry_sequence_breakers = breakers.pointers.len();
        }
        raw.order = order.as_ref().map_or(ptr::null(), |order| order.as_ptr());
        Ok(RawSampler { raw, _bias: bias, _breakers: breakers, _order: order })
    }
}

/// A token that could have been chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Candidate {
    pub token: Token,
    pub probability: f32,
}

/// Chooses tokens from logits. One per sequence: it has a history.
pub struct Sampler {
    handle: *mut sys::quern_sampler,
    _model: Model,
}

// SAFETY: quern_c.h: from one thread at a time.
unsafe impl Send for Sampler {}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: the only owner.
        unsafe { sys::quern_sampler_close(self.handle) }
    }
}

impl Sampler {
    /// A sampler with these options.
    pub fn new(model: &Model, options: &SamplerOptions) -> Result<Self> {
        let raw = RawSampler::new(options)?;
        let mut handle = ptr::null_mut();
        // SAFETY: what the options point to lives until the call returns.
        check(unsafe { sys::quern_sampler_create(model.as_ptr(), &raw.raw, &mut handle) })?;
        Ok(Sampler { handle, _model: model.clone() })
    }
    /// Chooses a token. Does not change the history.
    pub fn sample(&mut self, logits: &[f32]) -> Result<Token> {
        let mut token = -1;
        // SAFETY: the slice is as long as said; the handles live, here and below.
        check(unsafe { sys::quern_sampler_sample(self.handle, logits.as_ptr(), logits.len(), &mut token) })?;
        Ok(token)
    }
    /// Adds a token to the history that penalties look at.
    pub fn accept(&mut self, token: Token) {
        unsafe { sys::quern_sampler_accept(self.handle, token) }
    }
    /// Forgets the history and starts again from the seed.
    pub fn reset(&mut self) {
        unsafe { sys::quern_sampler_reset(self.handle) }
    }
    /// The seed, also where it was a random one.
    pub fn seed(&self) -> u32 {
        unsafe { sys::quern_sampler_seed(self.handle) }
    }
    /// What the last sample chose from, most probable first, at most `n` of them.
    pub fn candidates(&self, n: usize) -> Result<Vec<Candidate>> {
        let mut buffer = vec![sys::quern_token_probability { token: 0, probability: 0.0 }; n];
        let mut written = 0;
        // SAFETY: the buffer has n elements.
        check(unsafe { sys::quern_sampler_candidates(self.handle, buffer.as_mut_ptr(), n, &mut written) })?;
        let found = &buffer[..written];
        Ok(found.iter().map(|c| Candidate { token: c.token, probability: c.probability }).collect())
    }
}
