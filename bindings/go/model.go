package quern

/*
#include <quern_c.h>
#include <stdlib.h>

extern int quernGoOnProgress(void*, char*, uint64_t, uint64_t);

static void quern_go_model_options(quern_model_options* o, void* user) {
  const quern_model_options init = QUERN_MODEL_OPTIONS_INIT;
  *o = init;
  if (user != NULL) {
    o->progress = (quern_progress_fn)quernGoOnProgress;
    o->progress_user = user;
  }
}
static void quern_go_model_info(quern_model_info* o) {
  const quern_model_info init = QUERN_MODEL_INFO_INIT;
  *o = init;
}
static void quern_go_runtime_options(quern_runtime_options* o) {
  const quern_runtime_options init = QUERN_RUNTIME_OPTIONS_INIT;
  *o = init;
}
static void quern_go_footprint(quern_footprint* o) {
  const quern_footprint init = QUERN_FOOTPRINT_INIT;
  *o = init;
}
*/
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// RuntimeOptions are the options of a Runtime.
type RuntimeOptions struct {
	Threads int    // 0: the physical cores that this process may use
	Backend string // "": "cpu". "reference": scalar and slow
}

// Runtime is threads and a backend, which models share.
type Runtime struct{ handle *C.quern_runtime }

// NewRuntime makes a runtime; options may be nil.
func NewRuntime(options *RuntimeOptions) (*Runtime, error) {
	var a arena
	defer a.free()
	raw := (*C.quern_runtime_options)(a.alloc(C.sizeof_quern_runtime_options))
	C.quern_go_runtime_options(raw)
	if options != nil {
		raw.n_threads = C.uint32_t(options.Threads)
		raw.backend = a.optional(options.Backend)
	}
	r := &Runtime{}
	if err := call(func() C.quern_status { return C.quern_runtime_create(raw, &r.handle) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(r, (*Runtime).Close)
	return r, nil
}

// Close gives the runtime back; models keep it. It may be repeated.
func (r *Runtime) Close() error {
	C.quern_runtime_close(r.handle)
	r.handle = nil
	return nil
}

// Threads is how many threads it has.
func (r *Runtime) Threads() int {
	defer runtime.KeepAlive(r)
	return int(C.quern_runtime_n_threads(r.handle))
}

// String is the backend and its instruction set, such as "cpu (AVX3_ZEN4)".
func (r *Runtime) String() string {
	defer runtime.KeepAlive(r)
	return C.GoString(C.quern_runtime_description(r.handle))
}

// ModelOptions say how a model is opened.
type ModelOptions struct {
	Runtime     *Runtime // nil: one of its own
	NoMmap      bool     // read the file into memory instead of mapping it
	VocabOnly   bool     // metadata and tokenizer only; such a model makes no context
	NoRepack    bool     // read weights from the mapped file: less memory, slower answers, the same results
	Quantize    string   // quantize as the model is opened: "nf4", "fp4", "int8" or a type of GGUF ("Q4_K")
	DoubleQuant bool     // with "nf4": quantize its scales too
	// Progress is called with ("load", bytes done, bytes in all); false cancels.
	Progress func(stage string, done, total uint64) bool
	// Context stops the opening when it is done.
	Context context.Context
}

// Model is an open model.
type Model struct{ handle *C.quern_model }

// Open opens a GGUF file, any part of a split one, or a Hugging Face folder. options may be nil.
func Open(path string, options *ModelOptions) (*Model, error) {
	if options == nil {
		options = &ModelOptions{}
	}
	var a arena
	defer a.free()
	c := &callback{onProgress: options.Progress}
	var user unsafe.Pointer
	if options.Progress != nil {
		var handle cgo.Handle
		user, handle = c.user(&a)
		defer c.release(handle)
	}
	w, err := watch(options.Context)
	if err != nil {
		return nil, err
	}
	raw := (*C.quern_model_options)(a.alloc(C.sizeof_quern_model_options))
	C.quern_go_model_options(raw, user)
	if options.Runtime != nil {
		raw.runtime = options.Runtime.handle
	}
	raw.no_mmap, raw.vocab_only, raw.no_repack = flag(options.NoMmap), flag(options.VocabOnly), flag(options.NoRepack)
	raw.quantize, raw.double_quant = a.optional(options.Quantize), flag(options.DoubleQuant)
	raw.cancel = w.token
	m := &Model{}
	name := a.text(path)
	err = w.finish(call(func() C.quern_status { return C.quern_model_open(name, raw, &m.handle) }), false)
	runtime.KeepAlive(options.Runtime)
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(m, (*Model).Close)
	return m, nil
}

// Close gives the model back; what was made from it keeps what it needs. It may be repeated.
func (m *Model) Close() error {
	C.quern_model_close(m.handle)
	m.handle = nil
	return nil
}

// ModelInfo is what a model's file says about it.
type ModelInfo struct {
	Path, Name, Architecture string
	FileType                 string // the commonest tensor type by bytes, such as "Q4_K"
	Parameters               uint64
	SizeBytes                uint64 // tensor bytes in the file
	Vocab, Embd, Layers      int
	Heads, HeadsKV, FF       int
	TrainingContext          int
}

// Info says what the file says about the model.
func (m *Model) Info() (ModelInfo, error) {
	defer runtime.KeepAlive(m)
	var raw C.quern_model_info
	C.quern_go_model_info(&raw)
	if err := call(func() C.quern_status { return C.quern_model_get_info(m.handle, &raw) }); err != nil {
		return ModelInfo{}, err
	}
	return ModelInfo{
		Path: C.GoString(raw.path), Name: C.GoString(raw.name), Architecture: C.GoString(raw.architecture),
		FileType: C.GoString(raw.file_type), Parameters: uint64(raw.n_parameters), SizeBytes: uint64(raw.size_bytes),
		Vocab: int(raw.n_vocab), Embd: int(raw.n_embd), Layers: int(raw.n_layer),
		Heads: int(raw.n_head), HeadsKV: int(raw.n_head_kv), FF: int(raw.n_ff), TrainingContext: int(raw.n_ctx_train),
	}, nil
}

// Footprint is the bytes that the weights take in memory.
func (m *Model) Footprint() (uint64, error) {
	defer runtime.KeepAlive(m)
	var raw C.quern_footprint
	C.quern_go_footprint(&raw)
	err := call(func() C.quern_status { return C.quern_model_footprint(m.handle, &raw) })
	return uint64(raw.total_bytes), err
}

// Metadata is the value of a key of the file in text form, arrays shortened.
func (m *Model) Metadata(key string) (string, bool) {
	defer runtime.KeepAlive(m)
	var a arena
	defer a.free()
	value := C.quern_model_metadata_find(m.handle, a.text(key))
	return C.GoString(value), value != nil
}

// ChatTemplate is the file's chat template (Jinja); empty if it has none.
func (m *Model) ChatTemplate() string {
	defer runtime.KeepAlive(m)
	return C.GoString(C.quern_model_chat_template(m.handle))
}

// Adapter is a low-rank change of a model's weights (LoRA), applied while it runs.
type Adapter struct{ handle *C.quern_adapter }

// OpenAdapter opens a GGUF adapter, or a folder in PEFT's form.
func OpenAdapter(model *Model, path string) (*Adapter, error) {
	defer runtime.KeepAlive(model)
	var a arena
	defer a.free()
	name, adapter := a.text(path), &Adapter{}
	if err := call(func() C.quern_status { return C.quern_adapter_open(model.handle, name, &adapter.handle) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(adapter, (*Adapter).Close)
	return adapter, nil
}

// Close gives the adapter back; contexts keep what they need of it. It may be repeated.
func (a *Adapter) Close() error {
	C.quern_adapter_close(a.handle)
	a.handle = nil
	return nil
}
