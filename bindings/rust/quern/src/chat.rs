use crate::callback::TextFn;
use crate::chat_template::{Message, Role};
use crate::error::{check, Result};
use crate::generate::{run, GenerateOptions, Generation};
use crate::text::text_of;
use crate::{ContextOptions, Model};
use quern_sys as sys;
use std::os::raw::c_char;
use std::ptr;

/// A conversation: keeps the messages, renders the model's template, and computes only what is new.
pub struct ChatSession {
    handle: *mut sys::quern_chat,
    _model: Model,
}

// SAFETY: quern_c.h: from one thread at a time.
unsafe impl Send for ChatSession {}

impl Drop for ChatSession {
    fn drop(&mut self) {
        // SAFETY: the only owner.
        unsafe { sys::quern_chat_close(self.handle) }
    }
}

impl ChatSession {
    /// A conversation in a context of its own.
    pub fn new(model: &Model, options: &ContextOptions, system_prompt: Option<&str>) -> Result<Self> {
        let mut handle = ptr::null_mut();
        let (text, size) = system_prompt.map_or((ptr::null(), 0), |text| (text.as_ptr() as *const c_char, text.len()));
        // SAFETY: the text has that many bytes.
        check(unsafe { sys::quern_chat_create(model.as_ptr(), &options.raw(), text, size, &mut handle) })?;
        Ok(ChatSession { handle, _model: model.clone() })
    }

    /// Adds the message and the answer to the conversation. A cancelled answer is kept as far as it came. If the conversation
    /// no longer fits: [`crate::Error::ContextFull`], and the message is not added.
    pub fn send(&mut self, message: &str, options: &GenerateOptions) -> Result<Generation> {
        self.run(message, options, None)
    }

    /// The same; `on_text` gets the answer as it becomes certain, and returns whether to go on.
    pub fn send_with(
        &mut self,
        message: &str,
        options: &GenerateOptions,
        mut on_text: impl FnMut(&str) -> bool,
    ) -> Result<Generation> {
        self.run(message, options, Some(&mut on_text))
    }

    fn run(
        &mut self,
        message: &str,
        options: &GenerateOptions,
        on_text: Option<&mut TextFn<'_>>,
    ) -> Result<Generation> {
        let (text, size) = (message.as_ptr() as *const c_char, message.len());
        // SAFETY: the text has that many bytes; the handle lives, here and below.
        run(options, on_text, |options, out| unsafe { sys::quern_chat_send(self.handle, text, size, options, out) })
    }

    /// All messages, the system prompt included.
    pub fn messages(&self) -> Result<Vec<Message>> {
        // SAFETY: the texts are valid until the conversation changes, and are copied.
        unsafe {
            (0..sys::quern_chat_n_messages(self.handle))
                .map(|i| {
                    let mut raw = sys::quern_chat_message { role: ptr::null(), content: ptr::null(), content_size: 0 };
                    check(sys::quern_chat_get_message(self.handle, i, &mut raw))?;
                    Ok(Message::new(Role::of(&text_of(raw.role)), text_of(raw.content)))
                })
                .collect()
        }
    }
    /// Takes back the last question and its answer.
    pub fn undo(&mut self) {
        unsafe { sys::quern_chat_undo(self.handle) }
    }
    /// Forgets all but the system prompt.
    pub fn clear(&mut self) {
        unsafe { sys::quern_chat_clear(self.handle) }
    }
}
