use crate::error::{Error, Result};
use crate::{Context, Sampler, SamplerOptions, TextStream, Token, Tokenizer};

/// Pieces of text as a model makes them: see [`Context::pieces`]. Each holds whole characters, and at least one.
pub struct Pieces<'a> {
    context: &'a mut Context,
    tokenizer: Tokenizer,
    sampler: Sampler,
    stream: TextStream,
    ended: bool,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(context: &'a mut Context, prompt: &[Token], options: &SamplerOptions) -> Result<Self> {
        let mut sampler = Sampler::new(context.model(), options)?;
        let tokenizer = context.model().tokenizer();
        let stream = tokenizer.stream()?;
        context.sequence_remove(0, 0, -1)?;
        context.append(prompt, 0)?;
        for &token in prompt {
            sampler.accept(token);
        }
        Ok(Pieces { context, tokenizer, sampler, stream, ended: false })
    }

    /// The next token's text; None at the end.
    fn step(&mut self) -> Result<Option<String>> {
        let logits =
            self.context.last_logits().ok_or_else(|| Error::Argument("the prompt has no tokens".to_string()))?;
        let token = self.sampler.sample(logits)?;
        if self.tokenizer.is_end(token) {
            return Ok(None);
        }
        self.sampler.accept(token);
        let text = self.stream.push(token)?;
        match self.context.append(&[token], 0) {
            Ok(()) => Ok(Some(text)),
            // The token was made; what would follow has no room.
            Err(Error::ContextFull(_)) => {
                self.ended = true;
                Ok(Some(text))
            }
            Err(error) => Err(error),
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.step() {
                Ok(Some(text)) if text.is_empty() => continue,
                Ok(Some(text)) => return Some(Ok(text)),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        match self.stream.finish() {
            Ok(rest) if rest.is_empty() => None,
            rest => Some(rest),
        }
    }
}
