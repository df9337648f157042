package quern

/*
#include <quern_c.h>
#include <stdlib.h>

static void quern_go_embedder_options(quern_embedder_options* o) {
  const quern_embedder_options init = QUERN_EMBEDDER_OPTIONS_INIT;
  *o = init;
}
static void quern_go_embed_options(quern_embed_options* o) {
  const quern_embed_options init = QUERN_EMBED_OPTIONS_INIT;
  *o = init;
}
*/
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Pooling is how the vectors of a text's tokens become the text's.
type Pooling int

// The ways of pooling. PoolingFromModel, what the file says, is the default.
const (
	PoolingFromModel Pooling = iota
	PoolingNone              // they stay one per token
	PoolingMean
	PoolingCLS // the first token's
	PoolingLast
)

var poolings = map[Pooling]C.int32_t{
	PoolingFromModel: C.QUERN_POOLING_FROM_MODEL, PoolingNone: C.QUERN_POOLING_NONE, PoolingMean: C.QUERN_POOLING_MEAN,
	PoolingCLS: C.QUERN_POOLING_CLS, PoolingLast: C.QUERN_POOLING_LAST,
}

// EmbedderOptions say how embeddings are made.
type EmbedderOptions struct {
	Pooling       Pooling
	NotNormalized bool // vectors keep their lengths; otherwise each is divided by its own
	Batch         int  // tokens of one pass, and so of the longest text. 0: the model's training context
}

// Embedder makes embeddings, with encoders or of what a language model's last layer holds.
type Embedder struct{ handle *C.quern_embedder }

// NewEmbedder makes an embedder; options may be nil.
func NewEmbedder(model *Model, options *EmbedderOptions) (*Embedder, error) {
	defer runtime.KeepAlive(model)
	var raw C.quern_embedder_options
	C.quern_go_embedder_options(&raw)
	if options != nil {
		pooling, known := poolings[options.Pooling]
		if !known {
			return nil, &Error{Code: CodeArgument, Message: "no such pooling"}
		}
		raw.pooling, raw.n_batch = pooling, C.uint32_t(options.Batch)
		if options.NotNormalized {
			raw.normalize = -1
		}
	}
	e := &Embedder{}
	if err := call(func() C.quern_status { return C.quern_embedder_create(model.handle, &raw, &e.handle) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(e, (*Embedder).Close)
	return e, nil
}

// Close gives the embedder back. It may be repeated.
func (e *Embedder) Close() error {
	C.quern_embedder_close(e.handle)
	e.handle = nil
	return nil
}

// Pooling is what pooling it does.
func (e *Embedder) Pooling() Pooling {
	defer runtime.KeepAlive(e)
	raw := C.quern_embedder_pooling(e.handle)
	for pooling, value := range poolings {
		if value == raw {
			return pooling
		}
	}
	return PoolingNone
}

// Embed makes the vectors of texts: result[i] has one of text i, or one per token without pooling. A text's vector does not depend
// on the texts beside it.
func (e *Embedder) Embed(ctx context.Context, texts ...string) ([][][]float32, error) {
	defer runtime.KeepAlive(e)
	w, err := watch(ctx)
	if err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	raw := (*C.quern_embed_options)(a.alloc(C.sizeof_quern_embed_options))
	C.quern_go_embed_options(raw)
	raw.cancel = w.token
	from := a.texts(texts)
	sizes := (*C.size_t)(a.alloc(C.size_t(len(texts)+1) * C.size_t(unsafe.Sizeof(C.size_t(0)))))
	for i, text := range texts {
		unsafe.Slice(sizes, len(texts))[i] = C.size_t(len(text))
	}
	err = w.finish(call(func() C.quern_status {
		return C.quern_embedder_embed(e.handle, from, sizes, C.size_t(len(texts)), raw)
	}), false)
	if err != nil {
		return nil, err
	}
	n := int(C.quern_embedder_n_embd(e.handle))
	results := make([][][]float32, len(texts))
	for i := range texts {
		var rows C.size_t
		values := C.quern_embedder_get(e.handle, C.size_t(i), &rows, nil)
		all := append([]float32(nil), unsafe.Slice((*float32)(unsafe.Pointer(values)), int(rows)*n)...)
		for row := 0; row < int(rows); row++ {
			results[i] = append(results[i], all[row*n:(row+1)*n:(row+1)*n])
		}
	}
	return results, nil
}

// CosineSimilarity is the cosine of the angle between two vectors; 0 where one of them is zero or their lengths differ.
func CosineSimilarity(a, b []float32) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return 0
	}
	x, y := (*C.float)(unsafe.Pointer(&a[0])), (*C.float)(unsafe.Pointer(&b[0]))
	return float64(C.quern_cosine_similarity(x, y, C.size_t(len(a))))
}
