use crate::error::{check, Result};
use crate::text::{filled, filled_text};
use crate::{Model, Token};
use quern_sys as sys;
use std::os::raw::c_char;
use std::ptr;

/// Text to tokens and back, with a model's vocabulary.
#[derive(Clone)]
pub struct Tokenizer {
    model: Model,
}

impl Tokenizer {
    pub(crate) fn new(model: Model) -> Self {
        Tokenizer { model }
    }

    /// Tokens of a text, with BOS or EOS where the model asks for them.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>> {
        self.encode_with(text, true, false)
    }

    /// `add_special`: BOS or EOS where the model asks for them. `parse_special`: read control tokens written out in the text,
    /// which is not for text that users typed.
    pub fn encode_with(&self, text: &str, add_special: bool, parse_special: bool) -> Result<Vec<Token>> {
        let flags = if add_special { sys::QUERN_TOKENIZE_ADD_SPECIAL } else { 0 }
            | if parse_special { sys::QUERN_TOKENIZE_PARSE_SPECIAL } else { 0 };
        // SAFETY: the text has that many bytes, the buffer that capacity.
        filled(text.len() + 4, |buffer, capacity, needed| unsafe {
            let bytes = text.as_ptr() as *const c_char;
            sys::quern_tokenize(self.model.as_ptr(), bytes, text.len(), flags, buffer, capacity, needed)
        })
    }

    /// The text of tokens; what is not UTF-8 becomes U+FFFD. Control tokens are left out.
    pub fn decode(&self, tokens: &[Token]) -> Result<String> {
        self.decode_bytes(tokens, false).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes of tokens; with `special` those of control tokens, too.
    pub fn decode_bytes(&self, tokens: &[Token], special: bool) -> Result<Vec<u8>> {
        // SAFETY: the slices are as long as said.
        filled_text(tokens.len() * 8 + 16, |buffer, capacity, needed| unsafe {
            let (from, n) = (tokens.as_ptr(), tokens.len());
            sys::quern_detokenize(self.model.as_ptr(), from, n, special as i32, buffer, capacity, needed)
        })
    }

    /// The bytes of one token, possibly part of a character.
    pub fn piece(&self, token: Token, special: bool) -> Result<Vec<u8>> {
        // SAFETY: the buffer has that capacity.
        filled_text(32, |buffer, capacity, needed| unsafe {
            sys::quern_token_piece(self.model.as_ptr(), token, special as i32, buffer, capacity, needed)
        })
    }

    /// How many tokens the vocabulary has.
    pub fn n_tokens(&self) -> usize {
        // SAFETY: the handle lives, here and below.
        unsafe { sys::quern_n_tokens(self.model.as_ptr()) as usize }
    }
    /// The token that begins a text.
    pub fn bos(&self) -> Option<Token> {
        some(unsafe { sys::quern_token_bos(self.model.as_ptr()) })
    }
    /// The token that ends a text.
    pub fn eos(&self) -> Option<Token> {
        some(unsafe { sys::quern_token_eos(self.model.as_ptr()) })
    }
    /// Whether a token ends a generation: EOS, end of turn and the like.
    pub fn is_end(&self, token: Token) -> bool {
        unsafe { sys::quern_token_is_end(self.model.as_ptr(), token) != 0 }
    }
    /// Whether a token is one of control.
    pub fn is_control(&self, token: Token) -> bool {
        unsafe { sys::quern_token_is_control(self.model.as_ptr(), token) != 0 }
    }
    /// The token of this exact vocabulary text, e.g. "<|im_end|>".
    pub fn find(&self, text: &str) -> Option<Token> {
        some(unsafe { sys::quern_token_find(self.model.as_ptr(), text.as_ptr() as *const c_char, text.len()) })
    }
    /// Turns a stream of tokens into text that never ends inside a character.
    pub fn stream(&self) -> Result<TextStream> {
        let mut handle = ptr::null_mut();
        check(unsafe { sys::quern_text_stream_create(self.model.as_ptr(), &mut handle) })?;
        Ok(TextStream { handle, _model: self.model.clone() })
    }
}

fn some(token: Token) -> Option<Token> {
    if token < 0 {
        None
    } else {
        Some(token)
    }
}

/// Tokens to text as they come.
pub struct TextStream {
    handle: *mut sys::quern_text_stream,
    _model: Model,
}

// SAFETY: quern_c.h: from one thread at a time.
unsafe impl Send for TextStream {}

impl TextStream {
    /// The characters that this token completes, possibly none.
    pub fn push(&mut self, token: Token) -> Result<String> {
        let (mut text, mut size) = (ptr::null(), 0);
        // SAFETY: the text is valid until the next call on the stream, and is copied.
        unsafe {
            check(sys::quern_text_stream_push(self.handle, token, &mut text, &mut size))?;
            Ok(copied(text, size))
        }
    }
    /// What remains at the end; an unfinished character becomes U+FFFD.
    pub fn finish(&mut self) -> Result<String> {
        let (mut text, mut size) = (ptr::null(), 0);
        // SAFETY: as above.
        unsafe {
            check(sys::quern_text_stream_finish(self.handle, &mut text, &mut size))?;
            Ok(copied(text, size))
        }
    }
}

impl Drop for TextStream {
    fn drop(&mut self) {
        // SAFETY: the only owner.
        unsafe { sys::quern_text_stream_close(self.handle) }
    }
}

/// SAFETY: `text` has `size` bytes.
unsafe fn copied(text: *const c_char, size: usize) -> String {
    if size == 0 {
        return String::new();
    }
    String::from_utf8_lossy(std::slice::from_raw_parts(text as *const u8, size)).into_owned()
}
