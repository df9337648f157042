//! Quern's C interface, `quern_c.h`, as it is: see that header for what each function does, who owns what and what may be
//! called from which thread. The crate `quern` is the safe way to use it.
//!
//! Structs that begin with `struct_size` are made by their `new()`, which sets it and the defaults.
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_int, c_void};

pub type quern_status = i32;
pub type quern_token = i32;

pub const QUERN_C_ABI_VERSION: u32 = 1;
pub const QUERN_NUL_TERMINATED: usize = usize::MAX;
pub const QUERN_RANDOM_SEED: u32 = 0xFFFF_FFFF;

pub const QUERN_OK: quern_status = 0;
pub const QUERN_ERROR_IO: quern_status = 10;
pub const QUERN_ERROR_NOT_FOUND: quern_status = 11;
pub const QUERN_ERROR_FORMAT: quern_status = 20;
pub const QUERN_ERROR_UNSUPPORTED: quern_status = 30;
pub const QUERN_ERROR_ARGUMENT: quern_status = 40;
pub const QUERN_ERROR_BUFFER_TOO_SMALL: quern_status = 41;
pub const QUERN_ERROR_MEMORY: quern_status = 50;
pub const QUERN_ERROR_DEVICE: quern_status = 60;
pub const QUERN_ERROR_CANCELLED: quern_status = 70;
pub const QUERN_ERROR_CONTEXT_FULL: quern_status = 80;
pub const QUERN_ERROR_BUSY: quern_status = 90;
pub const QUERN_ERROR_INTERNAL: quern_status = 100;
pub const QUERN_POOLING_FROM_MODEL: i32 = -1;
pub const QUERN_LOG_DEBUG: i32 = 0;
pub const QUERN_LOG_INFO: i32 = 1;
pub const QUERN_LOG_WARNING: i32 = 2;
pub const QUERN_LOG_ERROR: i32 = 3;
pub const QUERN_TOKENIZE_ADD_SPECIAL: u32 = 1;
pub const QUERN_TOKENIZE_PARSE_SPECIAL: u32 = 2;
pub const QUERN_CACHE_F16: i32 = 0;
pub const QUERN_CACHE_F32: i32 = 1;
pub const QUERN_CACHE_Q8_0: i32 = 2;
pub const QUERN_CACHE_Q4_0: i32 = 3;
pub const QUERN_STOP_LENGTH: i32 = 0;
pub const QUERN_STOP_END_OF_GENERATION: i32 = 1;
pub const QUERN_STOP_TEXT: i32 = 2;
pub const QUERN_STOP_CANCELLED: i32 = 3;
pub const QUERN_STOP_CONTEXT_FULL: i32 = 4;
pub const QUERN_CHECK_FILE: i32 = 0;
pub const QUERN_CHECK_ARCHITECTURE: i32 = 1;
pub const QUERN_CHECK_TOKENIZER: i32 = 2;
pub const QUERN_CHECK_PARAMETERS: i32 = 3;
pub const QUERN_CHECK_TENSORS: i32 = 4;
pub const QUERN_CHECK_CHAT_TEMPLATE: i32 = 5;
pub const QUERN_CHECK_MEMORY: i32 = 6;
pub const QUERN_IMATRIX_GGUF: i32 = 0;
pub const QUERN_IMATRIX_DAT: i32 = 1;
pub const QUERN_POOLING_NONE: i32 = 0;
pub const QUERN_POOLING_MEAN: i32 = 1;
pub const QUERN_POOLING_CLS: i32 = 2;
pub const QUERN_POOLING_LAST: i32 = 3;

/// (user, stage, done, total); nonzero cancels.
pub type quern_progress_fn = Option<unsafe extern "C" fn(*mut c_void, *const c_char, u64, u64) -> c_int>;
/// (user, level, message)
pub type quern_log_fn = Option<unsafe extern "C" fn(*mut c_void, i32, *const c_char)>;
/// (user, token, text, size); nonzero ends the generation.
pub type quern_token_fn = Option<unsafe extern "C" fn(*mut c_void, quern_token, *const c_char, usize) -> c_int>;

macro_rules! opaque {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
    )*};
}

opaque! {
    quern_cancel_token
    quern_runtime
    quern_model
    quern_text_stream
    quern_chat_template
    quern_context
    quern_sampler
    quern_generation
    quern_chat
    quern_adapter
    quern_check_report
    quern_imatrix
    quern_quantize_result
    quern_embedder
}

macro_rules! structs {
    ($($name:ident { $(pub $field:ident: $type:ty,)* })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct $name {
                $(pub $field: $type,)*
            }
        )*

        /// (struct, size, [(field, offset, size)]) of every struct.
        #[cfg(feature = "layout")]
        pub fn layouts() -> Vec<(&'static str, usize, Vec<(&'static str, usize, usize)>)> {
            fn size_of_target<T>(_: *const T) -> usize {
                std::mem::size_of::<T>()
            }
            vec![$({
                let place = std::mem::MaybeUninit::<$name>::uninit();
                let begin = place.as_ptr();
                let fields = vec![$({
                    // SAFETY: an address within `place`, which is not read.
                    let field = unsafe { std::ptr::addr_of!((*begin).$field) };
                    (stringify!($field), field as usize - begin as usize, size_of_target(field))
                }),*];
                (stringify!($name), std::mem::size_of::<$name>(), fields)
            }),*]
        }
    };
}

structs! {
    quern_runtime_options {
        pub struct_size: usize,
        pub n_threads: u32,
        pub backend: *const c_char,
        pub log: quern_log_fn,
        pub log_user: *mut c_void,
        pub processors: *const i32,
        pub n_processors: usize,
        pub pin_threads: i32,
        pub reserved: i32,
    }
    quern_model_options {
        pub struct_size: usize,
        pub runtime: *const quern_runtime,
        pub no_mmap: i32,
        pub vocab_only: i32,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
        pub no_repack: i32,
        pub quantize: *const c_char,
        pub double_quant: i32,
        pub reserved: i32,
    }
    quern_model_info {
        pub struct_size: usize,
        pub path: *const c_char,
        pub name: *const c_char,
        pub architecture: *const c_char,
        pub file_type: *const c_char,
        pub n_parameters: u64,
        pub size_bytes: u64,
        pub n_vocab: u32,
        pub n_embd: u32,
        pub n_layer: u32,
        pub n_head: u32,
        pub n_head_kv: u32,
        pub n_ff: u32,
        pub n_ctx_train: u32,
    }
    quern_footprint {
        pub struct_size: usize,
        pub matrix_bytes: u64,
        pub vector_bytes: u64,
        pub table_bytes: u64,
        pub kept_bytes: u64,
        pub total_bytes: u64,
        pub file_bytes: u64,
        pub file_needed_bytes: u64,
        pub file_mapped: i32,
        pub reserved: i32,
    }
    quern_tensor_info {
        pub struct_size: usize,
        pub name: *const c_char,
        pub type_: *const c_char,
        pub n_dims: u32,
        pub shape: [u64; 4],
        pub size_bytes: u64,
    }
    quern_chat_message {
        pub role: *const c_char,
        pub content: *const c_char,
        pub content_size: usize,
    }
    quern_template_options {
        pub struct_size: usize,
        pub no_generation_prompt: i32,
        pub extra_json: *const c_char,
    }
    quern_context_options {
        pub struct_size: usize,
        pub n_ctx: u32,
        pub n_batch: u32,
        pub n_seq_max: u32,
        pub type_k: i32,
        pub type_v: i32,
        pub n_checkpoints: i64,
    }
    quern_batch_token {
        pub token: quern_token,
        pub position: i32,
        pub sequence: i32,
        pub logits: i32,
    }
    quern_decode_options {
        pub struct_size: usize,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
    }
    quern_logit_bias {
        pub token: quern_token,
        pub bias: f32,
    }
    quern_sampler_options {
        pub struct_size: usize,
        pub seed: u32,
        pub temperature: f32,
        pub dynatemp_range: f32,
        pub dynatemp_exponent: f32,
        pub top_k: i32,
        pub top_p: f32,
        pub min_p: f32,
        pub typical_p: f32,
        pub top_n_sigma: f32,
        pub min_keep: u32,
        pub xtc_probability: f32,
        pub xtc_threshold: f32,
        pub penalty_last_n: i32,
        pub repeat_penalty: f32,
        pub frequency_penalty: f32,
        pub presence_penalty: f32,
        pub dry_multiplier: f32,
        pub dry_base: f32,
        pub dry_allowed_length: i32,
        pub dry_penalty_last_n: i32,
        pub dry_sequence_breakers: *const *const c_char,
        pub n_dry_sequence_breakers: usize,
        pub mirostat: i32,
        pub mirostat_tau: f32,
        pub mirostat_eta: f32,
        pub ignore_eos: i32,
        pub logit_bias: *const quern_logit_bias,
        pub n_logit_bias: usize,
        pub order: *const c_char,
    }
    quern_token_probability {
        pub token: quern_token,
        pub probability: f32,
    }
    quern_generate_options {
        pub struct_size: usize,
        pub max_tokens: i32,
        pub sampler: *const quern_sampler_options,
        pub stop: *const *const c_char,
        pub n_stop: usize,
        pub on_token: quern_token_fn,
        pub on_token_user: *mut c_void,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
        pub adapters: *const quern_adapter_use,
        pub n_adapters: usize,
    }
    quern_timings {
        pub struct_size: usize,
        pub n_prompt: u32,
        pub n_cached: u32,
        pub n_generated: u32,
        pub prompt_seconds: f64,
        pub generate_seconds: f64,
    }
    quern_adapter_info {
        pub struct_size: usize,
        pub path: *const c_char,
        pub name: *const c_char,
        pub n_weights: u64,
        pub size_bytes: u64,
        pub rank: u32,
        pub alpha: f32,
    }
    quern_adapter_use {
        pub adapter: *const quern_adapter,
        pub scale: f32,
        pub reserved: i32,
    }
    quern_check_options {
        pub struct_size: usize,
        pub runtime: *const quern_runtime,
        pub no_mmap: i32,
        pub no_repack: i32,
        pub context: *const quern_context_options,
        pub quantize: *const c_char,
        pub double_quant: i32,
        pub reserved: i32,
    }
    quern_check_info {
        pub struct_size: usize,
        pub opens: i32,
        pub runs: i32,
        pub format: *const c_char,
        pub architecture: *const c_char,
        pub tokenizer: *const c_char,
        pub pretokenizer: *const c_char,
        pub file_type: *const c_char,
        pub backend: *const c_char,
        pub architecture_known: i32,
        pub tokenizer_known: i32,
        pub has_chat_template: i32,
        pub n_ctx: u32,
        pub n_problems: u64,
        pub n_listed: u64,
        pub n_tensors: u64,
        pub n_unused: u64,
        pub n_skipped: u64,
        pub n_skipped_layers: u32,
        pub reserved: u32,
        pub file_bytes: u64,
        pub weight_bytes: u64,
        pub cache_bytes: u64,
        pub buffer_bytes: u64,
        pub needed_bytes: u64,
        pub available_bytes: u64,
    }
    quern_check_problem {
        pub struct_size: usize,
        pub part: i32,
        pub fatal: i32,
        pub code: quern_status,
        pub missing: i32,
        pub message: *const c_char,
        pub tensor: *const c_char,
    }
    quern_perplexity_options {
        pub struct_size: usize,
        pub n_ctx: u32,
        pub n_batch: u32,
        pub max_windows: i32,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
        pub adapters: *const quern_adapter_use,
        pub n_adapters: usize,
    }
    quern_perplexity_result {
        pub struct_size: usize,
        pub ppl: f64,
        pub nll: f64,
        pub nll_stderr: f64,
        pub n_tokens: u64,
        pub n_windows: u32,
    }
    quern_imatrix_options {
        pub struct_size: usize,
        pub n_ctx: u32,
        pub n_batch: u32,
        pub first_chunk: u32,
        pub max_chunks: i32,
        pub process_output: i32,
        pub dataset: *const c_char,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
    }
    quern_imatrix_info {
        pub struct_size: usize,
        pub n_tensors: u64,
        pub n_chunks: u32,
        pub chunk_size: u32,
    }
    quern_imatrix_tensor {
        pub struct_size: usize,
        pub name: *const c_char,
        pub n_values: u64,
        pub layer: i32,
        pub reserved: i32,
        pub sum: f64,
        pub min: f64,
        pub max: f64,
        pub mean: f64,
        pub stddev: f64,
        pub active: f64,
        pub entropy: f64,
        pub normalized_entropy: f64,
        pub zd_score: f64,
        pub cosine: f64,
    }
    quern_quantization_type {
        pub struct_size: usize,
        pub name: *const c_char,
        pub description: *const c_char,
        pub bits_per_weight: f64,
        pub needs_imatrix: i32,
        pub reserved: i32,
        pub makes_folder: i32,
        pub reserved2: i32,
    }
    quern_tensor_type_override {
        pub pattern: *const c_char,
        pub type_: *const c_char,
    }
    quern_quantize_options {
        pub struct_size: usize,
        pub type_: *const c_char,
        pub imatrix: *const c_char,
        pub method: *const c_char,
        pub calibration: *const c_char,
        pub calibration_size: usize,
        pub calibration_ctx: u32,
        pub calibration_chunks: u32,
        pub tensor_types: *const quern_tensor_type_override,
        pub n_tensor_types: usize,
        pub output_tensor_type: *const c_char,
        pub token_embedding_type: *const c_char,
        pub pure: i32,
        pub leave_output_tensor: i32,
        pub allow_requantize: i32,
        pub dry_run: i32,
        pub keep_split: i32,
        pub reserved: i32,
        pub override_kv: *const *const c_char,
        pub n_override_kv: usize,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
        pub target_size_bytes: u64,
        pub target_bpw: f64,
        pub report: *const c_char,
        pub report_size: usize,
        pub report_chunks: u32,
        pub reserved2: u32,
        pub group_size: u32,
        pub asymmetric: i32,
    }
    quern_quantize_info {
        pub struct_size: usize,
        pub n_tensors: u64,
        pub n_files: u64,
        pub from_bytes: u64,
        pub to_bytes: u64,
        pub bits_per_weight: f64,
        pub n_report_tokens: u64,
        pub kl_divergence: f64,
        pub top1_agreement: f64,
        pub ppl: f64,
        pub source_ppl: f64,
    }
    quern_quantized_tensor {
        pub struct_size: usize,
        pub name: *const c_char,
        pub from: *const c_char,
        pub to: *const c_char,
        pub reason: *const c_char,
        pub fallback: *const c_char,
        pub n_dims: u32,
        pub reserved: u32,
        pub shape: [u64; 4],
        pub from_bytes: u64,
        pub to_bytes: u64,
    }
    quern_convert_options {
        pub struct_size: usize,
        pub type_: *const c_char,
        pub dequantize: i32,
        pub allow_requantize: i32,
        pub imatrix: *const c_char,
        pub model_name: *const c_char,
        pub vocab_only: i32,
        pub dry_run: i32,
        pub split_max_bytes: u64,
        pub split_max_tensors: u64,
        pub override_kv: *const *const c_char,
        pub n_override_kv: usize,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
    }
    quern_embedder_options {
        pub struct_size: usize,
        pub pooling: i32,
        pub normalize: i32,
        pub n_batch: u32,
        pub reserved: i32,
        pub adapters: *const quern_adapter_use,
        pub n_adapters: usize,
    }
    quern_embed_options {
        pub struct_size: usize,
        pub progress: quern_progress_fn,
        pub progress_user: *mut c_void,
        pub cancel: *const quern_cancel_token,
    }
}

macro_rules! new {
    ($($name:ident)*) => {$(
        impl $name {
            /// All defaults, as from the header's `_INIT` macro.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                // SAFETY: numbers and pointers, for which zero is a value.
                let mut value: Self = unsafe { std::mem::zeroed() };
                value.struct_size = std::mem::size_of::<Self>();
                value
            }
        }
    )*};
}

new! {
    quern_runtime_options
    quern_model_options
    quern_model_info
    quern_footprint
    quern_tensor_info
    quern_template_options
    quern_context_options
    quern_decode_options
    quern_generate_options
    quern_timings
    quern_adapter_info
    quern_check_options
    quern_check_info
    quern_check_problem
    quern_perplexity_options
    quern_perplexity_result
    quern_imatrix_options
    quern_imatrix_info
    quern_imatrix_tensor
    quern_quantization_type
    quern_quantize_options
    quern_quantize_info
    quern_quantized_tensor
    quern_convert_options
    quern_embed_options
}

impl quern_embedder_options {
    /// All defaults, as from the header's `_INIT` macro.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        quern_embedder_options {
            struct_size: std::mem::size_of::<Self>(),
            pooling: QUERN_POOLING_FROM_MODEL,
            normalize: 2,
            n_batch: 0,
            reserved: 0,
            adapters: std::ptr::null(),
            n_adapters: 0,
        }
    }
}

impl quern_sampler_options {
    /// All defaults, which the library fills in.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let size = std::mem::size_of::<Self>();
        // SAFETY: as above; the function writes the `size` bytes that it is told of.
        unsafe {
            let mut value: Self = std::mem::zeroed();
            quern_sampler_options_init(&mut value, size);
            value
        }
    }
}

extern "C" {
    pub fn quern_abi_version() -> u32;
    pub fn quern_version() -> *const c_char;
    pub fn quern_status_name(status: quern_status) -> *const c_char;
    pub fn quern_last_error_message() -> *const c_char;
    pub fn quern_cancel_token_create(out: *mut *mut quern_cancel_token) -> quern_status;
    pub fn quern_cancel_token_cancel(token: *const quern_cancel_token);
    pub fn quern_cancel_token_reset(token: *const quern_cancel_token);
    pub fn quern_cancel_token_cancelled(token: *const quern_cancel_token) -> c_int;
    pub fn quern_cancel_token_close(token: *mut quern_cancel_token);
    pub fn quern_runtime_create(options: *const quern_runtime_options, out: *mut *mut quern_runtime) -> quern_status;
    pub fn quern_runtime_n_threads(runtime: *const quern_runtime) -> u32;
    pub fn quern_runtime_description(runtime: *const quern_runtime) -> *const c_char;
    pub fn quern_runtime_bind_this_thread(runtime: *const quern_runtime) -> quern_status;
    pub fn quern_runtime_measure_read_bandwidth(
        runtime: *const quern_runtime,
        size_bytes: u64,
        bytes_per_second: *mut f64,
    ) -> quern_status;
    pub fn quern_runtime_close(runtime: *mut quern_runtime);
    pub fn quern_model_open(
        path: *const c_char,
        options: *const quern_model_options,
        out: *mut *mut quern_model,
    ) -> quern_status;
    pub fn quern_model_close(model: *mut quern_model);
    pub fn quern_model_get_info(model: *const quern_model, out: *mut quern_model_info) -> quern_status;
    pub fn quern_model_footprint(model: *const quern_model, out: *mut quern_footprint) -> quern_status;
    pub fn quern_model_chat_template(model: *const quern_model) -> *const c_char;
    pub fn quern_model_n_metadata(model: *const quern_model) -> usize;
    pub fn quern_model_metadata_key(model: *const quern_model, index: usize) -> *const c_char;
    pub fn quern_model_metadata_value(model: *const quern_model, index: usize) -> *const c_char;
    pub fn quern_model_metadata_find(model: *const quern_model, key: *const c_char) -> *const c_char;
    pub fn quern_model_n_tensors(model: *const quern_model) -> usize;
    pub fn quern_model_get_tensor(model: *const quern_model, index: usize, out: *mut quern_tensor_info)
        -> quern_status;
    pub fn quern_tokenize(
        model: *const quern_model,
        text: *const c_char,
        size: usize,
        flags: u32,
        buffer: *mut quern_token,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_detokenize(
        model: *const quern_model,
        tokens: *const quern_token,
        n_tokens: usize,
        special: i32,
        buffer: *mut c_char,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_token_piece(
        model: *const quern_model,
        token: quern_token,
        special: i32,
        buffer: *mut c_char,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_n_tokens(model: *const quern_model) -> i32;
    pub fn quern_token_bos(model: *const quern_model) -> quern_token;
    pub fn quern_token_eos(model: *const quern_model) -> quern_token;
    pub fn quern_adds_bos(model: *const quern_model) -> c_int;
    pub fn quern_token_is_end(model: *const quern_model, token: quern_token) -> c_int;
    pub fn quern_token_is_control(model: *const quern_model, token: quern_token) -> c_int;
    pub fn quern_token_find(model: *const quern_model, text: *const c_char, size: usize) -> quern_token;
    pub fn quern_text_stream_create(model: *const quern_model, out: *mut *mut quern_text_stream) -> quern_status;
    pub fn quern_text_stream_push(
        stream: *mut quern_text_stream,
        token: quern_token,
        text: *mut *const c_char,
        size: *mut usize,
    ) -> quern_status;
    pub fn quern_text_stream_finish(
        stream: *mut quern_text_stream,
        text: *mut *const c_char,
        size: *mut usize,
    ) -> quern_status;
    pub fn quern_text_stream_close(stream: *mut quern_text_stream);
    pub fn quern_chat_template_from_model(
        model: *const quern_model,
        out: *mut *mut quern_chat_template,
    ) -> quern_status;
    pub fn quern_chat_template_from_source(
        model: *const quern_model,
        jinja: *const c_char,
        size: usize,
        out: *mut *mut quern_chat_template,
    ) -> quern_status;
    pub fn quern_chat_template_render(
        chat_template: *const quern_chat_template,
        messages: *const quern_chat_message,
        n_messages: usize,
        options: *const quern_template_options,
        buffer: *mut c_char,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_chat_template_tokenize(
        chat_template: *const quern_chat_template,
        messages: *const quern_chat_message,
        n_messages: usize,
        options: *const quern_template_options,
        buffer: *mut quern_token,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_chat_template_close(chat_template: *mut quern_chat_template);
    pub fn quern_context_create(
        model: *const quern_model,
        options: *const quern_context_options,
        out: *mut *mut quern_context,
    ) -> quern_status;
    pub fn quern_context_close(context: *mut quern_context);
    pub fn quern_context_decode(
        context: *mut quern_context,
        batch: *const quern_batch_token,
        n_tokens: usize,
        options: *const quern_decode_options,
    ) -> quern_status;
    pub fn quern_context_append(
        context: *mut quern_context,
        tokens: *const quern_token,
        n_tokens: usize,
        sequence: i32,
        all_logits: i32,
        options: *const quern_decode_options,
    ) -> quern_status;
    pub fn quern_context_logits(context: *const quern_context, index: usize) -> *const f32;
    pub fn quern_context_n_logits(context: *const quern_context) -> usize;
    pub fn quern_context_last_logits(context: *const quern_context) -> *const f32;
    pub fn quern_context_sequence_length(context: *const quern_context, sequence: i32) -> u32;
    pub fn quern_context_next_position(context: *const quern_context, sequence: i32) -> i32;
    pub fn quern_context_sequence_tokens(
        context: *const quern_context,
        sequence: i32,
        buffer: *mut quern_token,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_context_sequence_remove(
        context: *mut quern_context,
        sequence: i32,
        from: i32,
        to: i32,
    ) -> quern_status;
    pub fn quern_context_sequence_rewind(
        context: *mut quern_context,
        sequence: i32,
        position: i32,
        reached: *mut i32,
    ) -> quern_status;
    pub fn quern_context_sequence_keep(context: *mut quern_context, sequence: i32) -> quern_status;
    pub fn quern_context_sequence_fork(context: *mut quern_context, from: i32, to: i32) -> quern_status;
    pub fn quern_context_clear(context: *mut quern_context);
    pub fn quern_context_sequence_save(
        context: *const quern_context,
        sequence: i32,
        buffer: *mut c_void,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_context_sequence_restore(
        context: *mut quern_context,
        sequence: i32,
        state: *const c_void,
        size: usize,
    ) -> quern_status;
    pub fn quern_context_n_ctx(context: *const quern_context) -> u32;
    pub fn quern_context_n_used(context: *const quern_context) -> u32;
    pub fn quern_context_cache_bytes(context: *const quern_context) -> u64;
    pub fn quern_sampler_options_init(options: *mut quern_sampler_options, struct_size: usize) -> quern_status;
    pub fn quern_sampler_create(
        model: *const quern_model,
        options: *const quern_sampler_options,
        out: *mut *mut quern_sampler,
    ) -> quern_status;
    pub fn quern_sampler_close(sampler: *mut quern_sampler);
    pub fn quern_sampler_sample(
        sampler: *mut quern_sampler,
        logits: *const f32,
        n_logits: usize,
        token: *mut quern_token,
    ) -> quern_status;
    pub fn quern_sampler_accept(sampler: *mut quern_sampler, token: quern_token);
    pub fn quern_sampler_reset(sampler: *mut quern_sampler);
    pub fn quern_sampler_seed(sampler: *const quern_sampler) -> u32;
    pub fn quern_sampler_candidates(
        sampler: *const quern_sampler,
        buffer: *mut quern_token_probability,
        capacity: usize,
        n: *mut usize,
    ) -> quern_status;
    pub fn quern_generate(
        context: *mut quern_context,
        prompt: *const quern_token,
        n_tokens: usize,
        options: *const quern_generate_options,
        out: *mut *mut quern_generation,
    ) -> quern_status;
    pub fn quern_generation_text(generation: *const quern_generation, size: *mut usize) -> *const c_char;
    pub fn quern_generation_tokens(generation: *const quern_generation, n_tokens: *mut usize) -> *const quern_token;
    pub fn quern_generation_stop_reason(generation: *const quern_generation) -> i32;
    pub fn quern_generation_get_timings(generation: *const quern_generation, out: *mut quern_timings) -> quern_status;
    pub fn quern_generation_close(generation: *mut quern_generation);
    pub fn quern_chat_create(
        model: *const quern_model,
        options: *const quern_context_options,
        system_prompt: *const c_char,
        size: usize,
        out: *mut *mut quern_chat,
    ) -> quern_status;
    pub fn quern_chat_send(
        chat: *mut quern_chat,
        message: *const c_char,
        size: usize,
        options: *const quern_generate_options,
        out: *mut *mut quern_generation,
    ) -> quern_status;
    pub fn quern_chat_n_messages(chat: *const quern_chat) -> usize;
    pub fn quern_chat_get_message(chat: *const quern_chat, index: usize, out: *mut quern_chat_message) -> quern_status;
    pub fn quern_chat_undo(chat: *mut quern_chat);
    pub fn quern_chat_clear(chat: *mut quern_chat);
    pub fn quern_chat_context(chat: *mut quern_chat) -> *mut quern_context;
    pub fn quern_chat_close(chat: *mut quern_chat);
    pub fn quern_adapter_open(
        model: *const quern_model,
        path: *const c_char,
        out: *mut *mut quern_adapter,
    ) -> quern_status;
    pub fn quern_adapter_close(adapter: *mut quern_adapter);
    pub fn quern_adapter_get_info(adapter: *const quern_adapter, out: *mut quern_adapter_info) -> quern_status;
    pub fn quern_context_set_adapters(
        context: *mut quern_context,
        sequence: i32,
        adapters: *const quern_adapter_use,
        n_adapters: usize,
    ) -> quern_status;
    pub fn quern_context_n_adapters(context: *const quern_context, sequence: i32) -> usize;
    pub fn quern_check_part_name(part: i32) -> *const c_char;
    pub fn quern_check(
        path: *const c_char,
        options: *const quern_check_options,
        out: *mut *mut quern_check_report,
    ) -> quern_status;
    pub fn quern_check_report_get_info(report: *const quern_check_report, out: *mut quern_check_info) -> quern_status;
    pub fn quern_check_report_get_problem(
        report: *const quern_check_report,
        index: usize,
        out: *mut quern_check_problem,
    ) -> quern_status;
    pub fn quern_check_report_unused_tensor(report: *const quern_check_report, index: usize) -> *const c_char;
    pub fn quern_check_report_close(report: *mut quern_check_report);
    pub fn quern_perplexity(
        model: *const quern_model,
        tokens: *const quern_token,
        n_tokens: usize,
        options: *const quern_perplexity_options,
        out: *mut quern_perplexity_result,
    ) -> quern_status;
    pub fn quern_imatrix_create(out: *mut *mut quern_imatrix) -> quern_status;
    pub fn quern_imatrix_open(path: *const c_char, out: *mut *mut quern_imatrix) -> quern_status;
    pub fn quern_imatrix_close(imatrix: *mut quern_imatrix);
    pub fn quern_imatrix_collect(
        imatrix: *mut quern_imatrix,
        model: *const quern_model,
        tokens: *const quern_token,
        n_tokens: usize,
        options: *const quern_imatrix_options,
    ) -> quern_status;
    pub fn quern_imatrix_merge(imatrix: *mut quern_imatrix, other: *const quern_imatrix) -> quern_status;
    pub fn quern_imatrix_save(imatrix: *const quern_imatrix, path: *const c_char, format: i32) -> quern_status;
    pub fn quern_imatrix_get_info(imatrix: *const quern_imatrix, out: *mut quern_imatrix_info) -> quern_status;
    pub fn quern_imatrix_get_tensor(
        imatrix: *mut quern_imatrix,
        index: usize,
        out: *mut quern_imatrix_tensor,
    ) -> quern_status;
    pub fn quern_imatrix_weights(
        imatrix: *const quern_imatrix,
        tensor: *const c_char,
        buffer: *mut f32,
        capacity: usize,
        needed: *mut usize,
    ) -> quern_status;
    pub fn quern_n_quantization_types() -> usize;
    pub fn quern_get_quantization_type(index: usize, out: *mut quern_quantization_type) -> quern_status;
    pub fn quern_quantize(
        runtime: *const quern_runtime,
        from: *const c_char,
        to: *const c_char,
        options: *const quern_quantize_options,
        out: *mut *mut quern_quantize_result,
    ) -> quern_status;
    pub fn quern_quantize_result_get_info(
        result: *const quern_quantize_result,
        out: *mut quern_quantize_info,
    ) -> quern_status;
    pub fn quern_quantize_result_get_tensor(
        result: *const quern_quantize_result,
        index: usize,
        out: *mut quern_quantized_tensor,
    ) -> quern_status;
    pub fn quern_quantize_result_file(result: *const quern_quantize_result, index: usize) -> *const c_char;
    pub fn quern_quantize_result_close(result: *mut quern_quantize_result);
    pub fn quern_convert_model(
        runtime: *const quern_runtime,
        from: *const c_char,
        to: *const c_char,
        options: *const quern_convert_options,
        out: *mut *mut quern_quantize_result,
    ) -> quern_status;
    pub fn quern_embedder_create(
        model: *const quern_model,
        options: *const quern_embedder_options,
        out: *mut *mut quern_embedder,
    ) -> quern_status;
    pub fn quern_embedder_close(embedder: *mut quern_embedder);
    pub fn quern_embedder_pooling(embedder: *const quern_embedder) -> i32;
    pub fn quern_embedder_n_embd(embedder: *const quern_embedder) -> usize;
    pub fn quern_embedder_n_batch(embedder: *const quern_embedder) -> u32;
    pub fn quern_embedder_embed(
        embedder: *mut quern_embedder,
        texts: *const *const c_char,
        sizes: *const usize,
        n_texts: usize,
        options: *const quern_embed_options,
    ) -> quern_status;
    pub fn quern_embedder_embed_tokens(
        embedder: *mut quern_embedder,
        tokens: *const quern_token,
        lengths: *const usize,
        n_texts: usize,
        options: *const quern_embed_options,
    ) -> quern_status;
    pub fn quern_embedder_get(
        embedder: *const quern_embedder,
        index: usize,
        n_rows: *mut usize,
        n_tokens: *mut usize,
    ) -> *const f32;
    pub fn quern_embedder_n_texts(embedder: *const quern_embedder) -> usize;
    pub fn quern_cosine_similarity(a: *const f32, b: *const f32, n: usize) -> f64;
}
