use crate::error::{check, Error, Result};
use crate::text::{c_text, filled, filled_text};
use crate::{Model, Token};
use quern_sys as sys;
use std::ffi::CString;
use std::os::raw::c_char;
use std::ptr;
use std::sync::Arc;

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
    /// Any other name that a template knows.
    Other(String),
}

impl Role {
    /// The name that templates see.
    pub fn as_str(&self) -> &str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Other(name) => name,
        }
    }
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            name => Role::Other(name.to_string()),
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Message { role, content: content.into() }
    }
}

/// How a conversation is rendered.
#[derive(Clone, Debug, Default)]
pub struct TemplateOptions {
    /// Do not end with the opening of an assistant turn.
    pub no_generation_prompt: bool,
    /// A JSON object of further template variables.
    pub extra_json: Option<String>,
}

/// Messages to the prompt that a model was trained on. A clone is the same template.
#[derive(Clone)]
pub struct ChatTemplate(Arc<TemplateHandle>);

struct TemplateHandle {
    handle: *mut sys::quern_chat_template,
    _model: Model,
}

// SAFETY: quern_c.h: chat templates may be used from many threads at once.
unsafe impl Send for TemplateHandle {}
unsafe impl Sync for TemplateHandle {}

impl Drop for TemplateHandle {
    fn drop(&mut self) {
        // SAFETY: the last owner.
        unsafe { sys::quern_chat_template_close(self.handle) }
    }
}

impl ChatTemplate {
    /// The model's template, or ChatML where it has none.
    pub fn from_model(model: &Model) -> Result<Self> {
        let mut handle = ptr::null_mut();
        // SAFETY: writes the handle.
        check(unsafe { sys::quern_chat_template_from_model(model.as_ptr(), &mut handle) })?;
        Ok(ChatTemplate(Arc::new(TemplateHandle { handle, _model: model.clone() })))
    }

    /// A template given as Jinja source.
    pub fn from_source(model: &Model, jinja: &str) -> Result<Self> {
        let mut handle = ptr::null_mut();
        let (text, size) = (jinja.as_ptr() as *const c_char, jinja.len());
        // SAFETY: the text has that many bytes.
        check(unsafe { sys::quern_chat_template_from_source(model.as_ptr(), text, size, &mut handle) })?;
        Ok(ChatTemplate(Arc::new(TemplateHandle { handle, _model: model.clone() })))
    }

    /// The prompt as text.
    pub fn render(&self, messages: &[Message], options: &TemplateOptions) -> Result<String> {
        let c = Conversation::new(messages, options)?;
        let size = messages.iter().map(|message| message.content.len() + 64).sum::<usize>() + 256;
        // SAFETY: the messages live until the call returns.
        let bytes = filled_text(size, |buffer, capacity, needed| unsafe {
            let (from, n) = (c.messages.as_ptr(), c.messages.len());
            sys::quern_chat_template_render(self.0.handle, from, n, &c.options, buffer, capacity, needed)
        })?;
        String::from_utf8(bytes).map_err(|error| Error::Format(format!("the prompt is not UTF-8: {}", error)))
    }

    /// The prompt as tokens, with exactly one BOS where the model wants one.
    pub fn tokenize(&self, messages: &[Message], options: &TemplateOptions) -> Result<Vec<Token>> {
        let c = Conversation::new(messages, options)?;
        // SAFETY: the messages live until the call returns.
        filled(512, |buffer, capacity, needed| unsafe {
            let (from, n) = (c.messages.as_ptr(), c.messages.len());
            sys::quern_chat_template_tokenize(self.0.handle, from, n, &c.options, buffer, capacity, needed)
        })
    }
}

/// The C form of messages and options; keeps their texts alive.
struct Conversation {
    messages: Vec<sys::quern_chat_message>,
    options: sys::quern_template_options,
    _roles: Vec<CString>,
    _extra: Option<CString>,
}

impl Conversation {
    fn new(messages: &[Message], options: &TemplateOptions) -> Result<Self> {
        let roles = messages.iter().map(|m| c_text(m.role.as_str(), "a role")).collect::<Result<Vec<_>>>()?;
        let extra = options.extra_json.as_deref().map(|json| c_text(json, "extra_json")).transpose()?;
        let mut raw = sys::quern_template_options::new();
        raw.no_generation_prompt = options.no_generation_prompt as i32;
        raw.extra_json = extra.as_ref().map_or(ptr::null(), |json| json.as_ptr());
        let messages = messages
            .iter()
            .zip(&roles)
            .map(|(message, role)| sys::quern_chat_message {
                role: role.as_ptr(),
                content: message.content.as_ptr() as *const c_char,
                content_size: message.content.len(),
            })
            .collect();
        Ok(Conversation { messages, options: raw, _roles: roles, _extra: extra })
    }
}
