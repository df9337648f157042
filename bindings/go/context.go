package quern

/*
#include <quern_c.h>
#include <stdlib.h>

static void quern_go_context_options(quern_context_options* o) {
  const quern_context_options init = QUERN_CONTEXT_OPTIONS_INIT;
  *o = init;
}
static void quern_go_decode_options(quern_decode_options* o) {
  const quern_decode_options init = QUERN_DECODE_OPTIONS_INIT;
  *o = init;
}
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"unsafe"
)

// CacheType is the element type of cached keys and values.
type CacheType int

// The types of caches.
const (
	CacheF16  CacheType = C.QUERN_CACHE_F16
	CacheF32  CacheType = C.QUERN_CACHE_F32
	CacheQ8_0 CacheType = C.QUERN_CACHE_Q8_0
	CacheQ4_0 CacheType = C.QUERN_CACHE_Q4_0
)

// ContextOptions say how much a context holds.
type ContextOptions struct {
	Tokens    int // cached tokens, all sequences together. 0: the model's training context
	Batch     int // tokens of one pass through the model. 0: 512
	Sequences int // 0: 1
	TypeK     CacheType
	TypeV     CacheType
}

func (a *arena) context(options *ContextOptions) *C.quern_context_options {
	raw := (*C.quern_context_options)(a.alloc(C.sizeof_quern_context_options))
	C.quern_go_context_options(raw)
	if options != nil {
		raw.n_ctx, raw.n_batch = C.uint32_t(options.Tokens), C.uint32_t(options.Batch)
		raw.n_seq_max = C.uint32_t(options.Sequences)
		raw.type_k, raw.type_v = C.int32_t(options.TypeK), C.int32_t(options.TypeV)
	}
	return raw
}

// Context is the key-value cache of sequences, and the forward pass of a model.
type Context struct {
	handle *C.quern_context
	model  *Model
}

// NewContext makes a context with empty sequences; options may be nil.
func NewContext(model *Model, options *ContextOptions) (*Context, error) {
	defer runtime.KeepAlive(model)
	var a arena
	defer a.free()
	raw, c := a.context(options), &Context{model: model}
	if err := call(func() C.quern_status { return C.quern_context_create(model.handle, raw, &c.handle) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(c, (*Context).Close)
	return c, nil
}

// Close gives the context back. It may be repeated.
func (c *Context) Close() error {
	C.quern_context_close(c.handle)
	c.handle = nil
	return nil
}

// Append appends tokens to a sequence, and computes the logits of the last one.
func (c *Context) Append(ctx context.Context, tokens []Token, sequence int) error {
	defer runtime.KeepAlive(c)
	w, err := watch(ctx)
	if err != nil {
		return err
	}
	var a arena
	defer a.free()
	raw := (*C.quern_decode_options)(a.alloc(C.sizeof_quern_decode_options))
	C.quern_go_decode_options(raw)
	raw.cancel = w.token
	return w.finish(call(func() C.quern_status {
		return C.quern_context_append(c.handle, tokensPtr(tokens), C.size_t(len(tokens)), C.int32_t(sequence), 0, raw)
	}), false)
}

// Logits are those of the last token appended, copied; nil where there are none.
func (c *Context) Logits() []float32 {
	defer runtime.KeepAlive(c)
	row := C.quern_context_last_logits(c.handle)
	if row == nil {
		return nil
	}
	n := int(C.quern_n_tokens(c.model.handle))
	return append([]float32(nil), unsafe.Slice((*float32)(unsafe.Pointer(row)), n)...)
}

// Generate continues a prompt on sequence 0; what the sequence has in common with it is not computed again. options may be nil.
func (c *Context) Generate(ctx context.Context, prompt []Token, options *GenerateOptions) (*Generation, error) {
	defer runtime.KeepAlive(c)
	return generate(ctx, options, func(raw *C.quern_generate_options, out **C.quern_generation) C.quern_status {
		return C.quern_generate(c.handle, tokensPtr(prompt), C.size_t(len(prompt)), raw, out)
	})
}

// Length is how many tokens a sequence holds.
func (c *Context) Length(sequence int) int {
	defer runtime.KeepAlive(c)
	return int(C.quern_context_sequence_length(c.handle, C.int32_t(sequence)))
}

// Remove forgets the tokens of a sequence at positions from up to, not including, to; below 0: the end.
func (c *Context) Remove(sequence, from, to int) error {
	defer runtime.KeepAlive(c)
	return call(func() C.quern_status {
		return C.quern_context_sequence_remove(c.handle, C.int32_t(sequence), C.int32_t(from), C.int32_t(to))
	})
}

// Fork makes one sequence a copy of another, sharing memory until they diverge.
func (c *Context) Fork(from, to int) error {
	defer runtime.KeepAlive(c)
	return call(func() C.quern_status {
		return C.quern_context_sequence_fork(c.handle, C.int32_t(from), C.int32_t(to))
	})
}

// SetAdapter has an empty sequence computed with an adapter, which counts as much as scale says; nil: the model as it is.
func (c *Context) SetAdapter(sequence int, adapter *Adapter, scale float32) error {
	defer runtime.KeepAlive(c)
	defer runtime.KeepAlive(adapter)
	var a arena
	defer a.free()
	use := (*C.quern_adapter_use)(a.alloc(C.sizeof_quern_adapter_use))
	n := C.size_t(0)
	if adapter != nil {
		use.adapter, use.scale, n = adapter.handle, C.float(scale), 1
	}
	return call(func() C.quern_status { return C.quern_context_set_adapters(c.handle, C.int32_t(sequence), use, n) })
}

// Clear forgets everything.
func (c *Context) Clear() {
	defer runtime.KeepAlive(c)
	C.quern_context_clear(c.handle)
}

// Sampler chooses tokens from logits. One per sequence: it has a history.
type Sampler struct{ handle *C.quern_sampler }

// NewSampler makes a sampler; options may be nil.
func NewSampler(model *Model, options *SamplerOptions) (*Sampler, error) {
	defer runtime.KeepAlive(model)
	var a arena
	defer a.free()
	raw, s := a.sampler(options), &Sampler{}
	if err := call(func() C.quern_status { return C.quern_sampler_create(model.handle, raw, &s.handle) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(s, (*Sampler).Close)
	return s, nil
}

// Close gives the sampler back. It may be repeated.
func (s *Sampler) Close() error {
	C.quern_sampler_close(s.handle)
	s.handle = nil
	return nil
}

// Sample chooses a token. It does not change the history.
func (s *Sampler) Sample(logits []float32) (Token, error) {
	defer runtime.KeepAlive(s)
	var row *C.float
	if len(logits) > 0 {
		row = (*C.float)(unsafe.Pointer(&logits[0]))
	}
	token := C.quern_token(-1)
	err := call(func() C.quern_status { return C.quern_sampler_sample(s.handle, row, C.size_t(len(logits)), &token) })
	return Token(token), err
}

// Accept adds a token to the history that penalties look at.
func (s *Sampler) Accept(token Token) {
	defer runtime.KeepAlive(s)
	C.quern_sampler_accept(s.handle, C.quern_token(token))
}

// Pieces reads a generation piece by piece, as a bufio.Scanner reads lines:
//
//	pieces, err := context.Pieces(ctx, prompt, quern.Greedy())
//	...
//	defer pieces.Close()
//	for pieces.Next() {
//		fmt.Print(pieces.Text())
//	}
//	if err := pieces.Err(); err != nil { ... }
type Pieces struct {
	ctx     context.Context
	context *Context
	sampler *Sampler
	stream  *C.quern_text_stream
	text    string
	err     error
	ended   bool
}

// Pieces continues a prompt on sequence 0, a token at a time. It ends where the model does, or where the context is full; the
// caller may stop at any time.
func (c *Context) Pieces(ctx context.Context, prompt []Token, options *SamplerOptions) (*Pieces, error) {
	sampler, err := NewSampler(c.model, options)
	if err != nil {
		return nil, err
	}
	p := &Pieces{ctx: ctx, context: c, sampler: sampler}
	if err = c.Remove(0, 0, -1); err == nil {
		err = c.Append(ctx, prompt, 0)
	}
	if err == nil {
		err = call(func() C.quern_status { return C.quern_text_stream_create(c.model.handle, &p.stream) })
	}
	if err != nil {
		sampler.Close()
		return nil, err
	}
	for _, token := range prompt {
		sampler.Accept(token)
	}
	runtime.SetFinalizer(p, (*Pieces).Close)
	return p, nil
}

// Close gives back what the pieces need. It may be repeated.
func (p *Pieces) Close() error {
	C.quern_text_stream_close(p.stream)
	p.stream, p.ended = nil, true
	return p.sampler.Close()
}

// Next goes to the next piece, which has at least one character, and is false at the end.
func (p *Pieces) Next() bool {
	defer runtime.KeepAlive(p)
	for p.text = ""; !p.ended && p.text == ""; {
		p.step()
	}
	if p.text == "" && p.err == nil && p.stream != nil { // what remains of an unfinished character
		p.text, p.err = p.streamed(func(text **C.char, size *C.size_t) C.quern_status {
			return C.quern_text_stream_finish(p.stream, text, size)
		})
	}
	return p.text != "" && p.err == nil
}

// step makes one token.
func (p *Pieces) step() {
	token, err := p.sampler.Sample(p.context.Logits())
	if err != nil || p.context.model.IsEnd(token) {
		p.ended, p.err = true, err
		return
	}
	p.sampler.Accept(token)
	p.text, p.err = p.streamed(func(text **C.char, size *C.size_t) C.quern_status {
		return C.quern_text_stream_push(p.stream, C.quern_token(token), text, size)
	})
	if p.err == nil {
		p.err = p.context.Append(p.ctx, []Token{token}, 0)
	}
	p.ended = p.err != nil
	if errors.Is(p.err, ErrContextFull) { // the token was made; what would follow has no room
		p.err = nil
	}
}

func (p *Pieces) streamed(function func(text **C.char, size *C.size_t) C.quern_status) (string, error) {
	var text *C.char
	var size C.size_t
	err := call(func() C.quern_status { return function(&text, &size) })
	if err != nil {
		return "", err
	}
	return C.GoStringN(text, C.int(size)), nil
}

// Text is the piece that Next went to.
func (p *Pieces) Text() string { return p.text }

// Err is what stopped the pieces before their end.
func (p *Pieces) Err() error { return p.err }
