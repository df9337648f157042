use crate::error::{check, Error, Result};
use crate::runtime::{cancel_ptr, CancelToken};
use crate::{Model, Token};
use quern_sys as sys;
use std::os::raw::c_char;
use std::ptr;

/// How the vectors of a text's tokens become the text's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// What the file says; none where it says nothing.
    FromModel,
    /// They stay one per token.
    None,
    /// Their mean.
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
}

/// How embeddings are made.
#[derive(Clone, Debug)]
pub struct EmbedderOptions {
    /// How the vectors of tokens become the text's.
    pub pooling: Pooling,
    /// A vector is divided by: -1 nothing, 0 its largest magnitude, to 32760, 1 the sum of its magnitudes, 2 its Euclidean
    /// length, p > 2 its p-norm.
    pub normalize: i32,
    /// Tokens of one pass, and so of the longest text. 0: the model's training context.
    pub n_batch: u32,
    /// Stops an embedding.
    pub cancel: Option<CancelToken>,
}

impl Default for EmbedderOptions {
    fn default() -> Self {
        EmbedderOptions { pooling: Pooling::FromModel, normalize: 2, n_batch: 0, cancel: None }
    }
}

/// The vectors of one text: one, or one per token without pooling.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    values: Vec<f32>,
    n_rows: usize,
    /// Tokens of the text.
    pub n_tokens: usize,
}

impl Embedding {
    /// How many vectors there are.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }
    /// The i-th vector; panics where there is none.
    pub fn row(&self, i: usize) -> &[f32] {
        assert!(i < self.n_rows, "row {} of {}", i, self.n_rows);
        let n = self.values.len() / self.n_rows;
        &self.values[i * n..(i + 1) * n]
    }
    /// The text's vector: the first one.
    pub fn vector(&self) -> &[f32] {
        self.row(0)
    }
}

/// Makes embeddings, with encoders or of what a language model's last layer holds.
pub struct Embedder {
    handle: *mut sys::quern_embedder,
    cancel: Option<CancelToken>,
    _model: Model,
}

// SAFETY: quern_c.h: from one thread at a time.
unsafe impl Send for Embedder {}

impl Drop for Embedder {
    fn drop(&mut self) {
        // SAFETY: the only owner.
        unsafe { sys::quern_embedder_close(self.handle) }
    }
}

impl Embedder {
    /// An embedder with these options.
    pub fn new(model: &Model, options: &EmbedderOptions) -> Result<Self> {
        let mut raw = sys::quern_embedder_options::new();
        raw.pooling = match options.pooling {
            Pooling::FromModel => sys::QUERN_POOLING_FROM_MODEL,
            Pooling::None => sys::QUERN_POOLING_NONE,
            Pooling::Mean => sys::QUERN_POOLING_MEAN,
            Pooling::Cls => sys::QUERN_POOLING_CLS,
            Pooling::Last => sys::QUERN_POOLING_LAST,
        };
        raw.normalize = options.normalize;
        raw.n_batch = options.n_batch;
        let mut handle = ptr::null_mut();
        // SAFETY: writes the handle.
        check(unsafe { sys::quern_embedder_create(model.as_ptr(), &raw, &mut handle) })?;
        Ok(Embedder { handle, cancel: options.cancel.clone(), _model: model.clone() })
    }

    /// What pooling it does.
    pub fn pooling(&self) -> Pooling {
        // SAFETY: the handle lives, here and below.
        match unsafe { sys::quern_embedder_pooling(self.handle) } {
            sys::QUERN_POOLING_MEAN => Pooling::Mean,
            sys::QUERN_POOLING_CLS => Pooling::Cls,
            sys::QUERN_POOLING_LAST => Pooling::Last,
            _ => Pooling::None,
        }
    }
    /// The length of a vector.
    pub fn n_embd(&self) -> usize {
        unsafe { sys::quern_embedder_n_embd(self.handle) }
    }
    /// The tokens of the longest text.
    pub fn n_batch(&self) -> usize {
        unsafe { sys::quern_embedder_n_batch(self.handle) as usize }
    }

    /// Embeds texts. A text's vector does not depend on the texts beside it.
    pub fn embed<T: AsRef<str>>(&mut self, texts: &[T]) -> Result<Vec<Embedding>> {
        let pointers: Vec<_> = texts.iter().map(|text| text.as_ref().as_ptr() as *const c_char).collect();
        let sizes: Vec<_> = texts.iter().map(|text| text.as_ref().len()).collect();
        let options = self.options();
        // SAFETY: the texts live until the call returns, and have these sizes.
        check(unsafe {
            sys::quern_embedder_embed(self.handle, pointers.as_ptr(), sizes.as_ptr(), texts.len(), &options)
        })?;
        self.results()
    }

    /// The same for tokens, taken as they are.
    pub fn embed_tokens<T: AsRef<[Token]>>(&mut self, texts: &[T]) -> Result<Vec<Embedding>> {
        let tokens: Vec<Token> = texts.iter().flat_map(|text| text.as_ref().iter().copied()).collect();
        let lengths: Vec<_> = texts.iter().map(|text| text.as_ref().len()).collect();
        let options = self.options();
        // SAFETY: as above.
        check(unsafe {
            sys::quern_embedder_embed_tokens(self.handle, tokens.as_ptr(), lengths.as_ptr(), texts.len(), &options)
        })?;
        self.results()
    }

    fn options(&self) -> sys::quern_embed_options {
        let mut options = sys::quern_embed_options::new();
        options.cancel = cancel_ptr(&self.cancel);
        options
    }

    fn results(&self) -> Result<Vec<Embedding>> {
        let n_embd = self.n_embd();
        // SAFETY: n_rows * n_embd numbers, valid until the next embedding, and copied.
        unsafe {
            (0..sys::quern_embedder_n_texts(self.handle))
                .map(|i| {
                    let (mut n_rows, mut n_tokens) = (0, 0);
                    let values = sys::quern_embedder_get(self.handle, i, &mut n_rows, &mut n_tokens);
                    if values.is_null() {
                        return Err(Error::Internal(format!("text {} has no vectors", i)));
                    }
                    let values = std::slice::from_raw_parts(values, n_rows * n_embd).to_vec();
                    Ok(Embedding { values, n_rows, n_tokens })
                })
                .collect()
        }
    }
}

/// The cosine of the angle between two vectors of the same length; 0 where one of them is zero.
pub fn cosine_similarity(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different lengths");
    // SAFETY: both have that many numbers.
    unsafe { sys::quern_cosine_similarity(a.as_ptr(), b.as_ptr(), a.len()) }
}
