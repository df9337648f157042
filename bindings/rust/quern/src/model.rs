use crate::callback::{on_progress, Callback, ProgressFn};
use crate::error::{check, Result};
use crate::runtime::{cancel_ptr, CancelToken, Runtime};
use crate::text::{c_path, c_text, text_of};
use crate::tokenizer::Tokenizer;
use quern_sys as sys;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

/// How a model is opened.
#[derive(Default)]
pub struct ModelOptions<'a> {
    /// What it runs on; by default a runtime of its own.
    pub runtime: Option<Runtime>,
    /// Read the file into memory instead of mapping it.
    pub no_mmap: bool,
    /// Metadata and tokenizer only; such a model makes no context.
    pub vocab_only: bool,
    /// Read weights from the mapped file: less memory, slower answers, the same results.
    pub no_repack: bool,
    /// Quantize as the model is opened: "nf4", "fp4", "int8" or a type of GGUF ("Q4_K").
    pub quantize: Option<String>,
    /// With "nf4": quantize its scales too.
    pub double_quant: bool,
    /// Called with ("load", bytes done, bytes in all); false cancels.
    pub progress: Option<&'a mut ProgressFn<'a>>,
    /// Stops the opening.
    pub cancel: Option<CancelToken>,
}

/// What a model's file says about it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ModelInfo {
    pub path: String,
    pub name: String,
    pub architecture: String,
    /// The commonest tensor type by bytes, e.g. "Q4_K".
    pub file_type: String,
    pub n_parameters: u64,
    /// Tensor bytes in the file.
    pub size_bytes: u64,
    pub n_vocab: u32,
    pub n_embd: u32,
    pub n_layer: u32,
    pub n_head: u32,
    pub n_head_kv: u32,
    pub n_ff: u32,
    /// Context length of the training.
    pub n_ctx_train: u32,
}

/// The bytes of a model's weights.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// In memory.
    pub total_bytes: u64,
    /// Of all the model's files.
    pub file_bytes: u64,
    /// Of these, what is still read.
    pub file_needed_bytes: u64,
    /// Whether the files are mapped, so that their other pages need not be in memory.
    pub file_mapped: bool,
}

/// A model. A clone is the same model; contexts and sessions keep it alive.
#[derive(Clone)]
pub struct Model(Arc<ModelHandle>);

struct ModelHandle {
    handle: *mut sys::quern_model,
    _runtime: Option<Runtime>, // for its log
}

// SAFETY: quern_c.h: models may be used from many threads at once.
unsafe impl Send for ModelHandle {}
unsafe impl Sync for ModelHandle {}

impl Drop for ModelHandle {
    fn drop(&mut self) {
        // SAFETY: the last owner.
        unsafe { sys::quern_model_close(self.handle) }
    }
}

impl Model {
    /// Opens a GGUF file, any part of a split one, or a Hugging Face folder.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, ModelOptions::default())
    }

    /// The same with options.
    pub fn open_with(path: impl AsRef<Path>, options: ModelOptions<'_>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let quantize = options.quantize.as_deref().map(|name| c_text(name, "quantize")).transpose()?;
        let mut raw = sys::quern_model_options::new();
        raw.runtime = options.runtime.as_ref().map_or(ptr::null(), Runtime::as_ptr);
        raw.no_mmap = options.no_mmap as i32;
        raw.vocab_only = options.vocab_only as i32;
        raw.no_repack = options.no_repack as i32;
        raw.quantize = quantize.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        raw.double_quant = options.double_quant as i32;
        raw.cancel = cancel_ptr(&options.cancel);
        let mut progress = Callback::new(options.progress);
        if progress.is_some() {
            raw.progress = Some(on_progress);
            raw.progress_user = progress.user();
        }
        let mut handle = ptr::null_mut();
        // SAFETY: what the options point to lives until the call returns.
        let status = check(unsafe { sys::quern_model_open(path.as_ptr(), &raw, &mut handle) });
        let model = status.map(|()| Model(Arc::new(ModelHandle { handle, _runtime: options.runtime })));
        progress.finish();
        model
    }

    /// What the file says about the model.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut raw = sys::quern_model_info::new();
        // SAFETY: the texts live as long as the handle, and are copied.
        unsafe {
            check(sys::quern_model_get_info(self.as_ptr(), &mut raw))?;
            Ok(ModelInfo {
                path: text_of(raw.path),
                name: text_of(raw.name),
                architecture: text_of(raw.architecture),
                file_type: text_of(raw.file_type),
                n_parameters: raw.n_parameters,
                size_bytes: raw.size_bytes,
                n_vocab: raw.n_vocab,
                n_embd: raw.n_embd,
                n_layer: raw.n_layer,
                n_head: raw.n_head,
                n_head_kv: raw.n_head_kv,
                n_ff: raw.n_ff,
                n_ctx_train: raw.n_ctx_train,
            })
        }
    }

    /// The bytes that its weights take.
    pub fn footprint(&self) -> Result<Footprint> {
        let mut raw = sys::quern_footprint::new();
        // SAFETY: writes the numbers.
        check(unsafe { sys::quern_model_footprint(self.as_ptr(), &mut raw) })?;
        Ok(Footprint {
            total_bytes: raw.total_bytes,
            file_bytes: raw.file_bytes,
            file_needed_bytes: raw.file_needed_bytes,
            file_mapped: raw.file_mapped != 0,
        })
    }

    /// The value of a key of the file in text form, arrays shortened.
    pub fn metadata(&self, key: &str) -> Option<String> {
        let key = c_text(key, "key").ok()?;
        // SAFETY: the text lives as long as the handle, and is copied.
        unsafe {
            let value = sys::quern_model_metadata_find(self.as_ptr(), key.as_ptr());
            if value.is_null() {
                None
            } else {
                Some(text_of(value))
            }
        }
    }

    /// All keys and values, in file order.
    pub fn all_metadata(&self) -> Vec<(String, String)> {
        // SAFETY: the texts live as long as the handle, and are copied.
        unsafe {
            (0..sys::quern_model_n_metadata(self.as_ptr()))
                .map(|i| {
                    let key = text_of(sys::quern_model_metadata_key(self.as_ptr(), i));
                    (key, text_of(sys::quern_model_metadata_value(self.as_ptr(), i)))
                })
                .collect()
        }
    }

    /// The file's chat template (Jinja); empty if it has none.
    pub fn chat_template(&self) -> String {
        // SAFETY: the text lives as long as the handle, and is copied.
        unsafe { text_of(sys::quern_model_chat_template(self.as_ptr())) }
    }

    /// Text to tokens and back.
    pub fn tokenizer(&self) -> Tokenizer {
        Tokenizer::new(self.clone())
    }

    pub(crate) fn as_ptr(&self) -> *const sys::quern_model {
        self.0.handle
    }
}

/// A low-rank change of a model's weights (LoRA), applied while it runs. A clone is the same adapter.
#[derive(Clone)]
pub struct Adapter(Arc<AdapterHandle>);

struct AdapterHandle(*mut sys::quern_adapter);

// SAFETY: quern_c_adapter.h: may be used by any number of contexts and by any thread.
unsafe impl Send for AdapterHandle {}
unsafe impl Sync for AdapterHandle {}

impl Drop for AdapterHandle {
    fn drop(&mut self) {
        // SAFETY: the last owner.
        unsafe { sys::quern_adapter_close(self.0) }
    }
}

impl Adapter {
    /// Opens a GGUF adapter, or a folder in PEFT's form.
    pub fn open(model: &Model, path: impl AsRef<Path>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let mut handle = ptr::null_mut();
        // SAFETY: the adapter keeps the model alive.
        check(unsafe { sys::quern_adapter_open(model.as_ptr(), path.as_ptr(), &mut handle) })?;
        Ok(Adapter(Arc::new(AdapterHandle(handle))))
    }
    pub(crate) fn as_ptr(&self) -> *const sys::quern_adapter {
        self.0 .0
    }
}
