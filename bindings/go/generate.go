package quern

/*
#include <quern_c.h>
#include <stdlib.h>

extern int quernGoOnToken(void*, int32_t, char*, size_t);

static void quern_go_generate_options(quern_generate_options* o, void* user) {
  const quern_generate_options init = QUERN_GENERATE_OPTIONS_INIT;
  *o = init;
  if (user != NULL) {
    o->on_token = (quern_token_fn)quernGoOnToken;
    o->on_token_user = user;
  }
}
static void quern_go_sampler_options(quern_sampler_options* o) {
  const quern_sampler_options init = QUERN_SAMPLER_OPTIONS_INIT;
  *o = init;
}
static void quern_go_timings(quern_timings* o) {
  const quern_timings init = QUERN_TIMINGS_INIT;
  *o = init;
}
*/
import "C"

import (
	"context"
	"runtime/cgo"
	"time"
	"unsafe"
)

// SamplerOptions say how tokens are chosen. Start from DefaultSampler or Greedy: a zero switches some steps off that are on by
// default.
type SamplerOptions struct {
	Seed             uint32 // RandomSeed: a random one
	Temperature      float32
	TopK             int
	TopP             float32
	MinP             float32
	TypicalP         float32
	TopNSigma        float32
	XTCProbability   float32
	XTCThreshold     float32
	PenaltyLastN     int
	RepeatPenalty    float32
	FrequencyPenalty float32
	PresencePenalty  float32
	DryMultiplier    float32
	Mirostat         int
	MirostatTau      float32
	MirostatEta      float32
	IgnoreEOS        bool              // forbids the tokens that end a generation
	LogitBias        map[Token]float32 // added to logits; negative infinity forbids a token
	Order            string            // the steps, a letter each, as in quern_c.h; "": all in their usual order
}

// RandomSeed asks for a seed that differs each time.
const RandomSeed = C.QUERN_RANDOM_SEED

// DefaultSampler has the library's defaults, which are llama.cpp's.
func DefaultSampler() *SamplerOptions {
	var raw C.quern_sampler_options
	C.quern_go_sampler_options(&raw)
	return &SamplerOptions{
		Seed: RandomSeed, Temperature: float32(raw.temperature), TopK: int(raw.top_k), TopP: float32(raw.top_p),
		MinP: float32(raw.min_p), TypicalP: float32(raw.typical_p), TopNSigma: float32(raw.top_n_sigma),
		XTCProbability: float32(raw.xtc_probability), XTCThreshold: float32(raw.xtc_threshold),
		PenaltyLastN: int(raw.penalty_last_n), RepeatPenalty: float32(raw.repeat_penalty),
		FrequencyPenalty: float32(raw.frequency_penalty), PresencePenalty: float32(raw.presence_penalty),
		DryMultiplier: float32(raw.dry_multiplier), Mirostat: int(raw.mirostat), MirostatTau: float32(raw.mirostat_tau),
		MirostatEta: float32(raw.mirostat_eta),
	}
}

// Greedy always takes the most probable token.
func Greedy() *SamplerOptions {
	options := DefaultSampler()
	options.Temperature = 0
	return options
}

// sampler is the options in C's memory.
func (a *arena) sampler(options *SamplerOptions) *C.quern_sampler_options {
	raw := (*C.quern_sampler_options)(a.alloc(C.sizeof_quern_sampler_options))
	C.quern_go_sampler_options(raw)
	if options == nil {
		return raw
	}
	raw.seed, raw.temperature = C.uint32_t(options.Seed), C.float(options.Temperature)
	raw.top_k, raw.top_p, raw.min_p = C.int32_t(options.TopK), C.float(options.TopP), C.float(options.MinP)
	raw.typical_p, raw.top_n_sigma = C.float(options.TypicalP), C.float(options.TopNSigma)
	raw.xtc_probability, raw.xtc_threshold = C.float(options.XTCProbability), C.float(options.XTCThreshold)
	raw.penalty_last_n, raw.repeat_penalty = C.int32_t(options.PenaltyLastN), C.float(options.RepeatPenalty)
	raw.frequency_penalty, raw.presence_penalty = C.float(options.FrequencyPenalty), C.float(options.PresencePenalty)
	raw.dry_multiplier, raw.mirostat = C.float(options.DryMultiplier), C.int32_t(options.Mirostat)
	raw.mirostat_tau, raw.mirostat_eta = C.float(options.MirostatTau), C.float(options.MirostatEta)
	raw.ignore_eos, raw.order = flag(options.IgnoreEOS), a.optional(options.Order)
	if n := len(options.LogitBias); n > 0 {
		raw.logit_bias = (*C.quern_logit_bias)(a.alloc(C.size_t(n) * C.sizeof_quern_logit_bias))
		raw.n_logit_bias = C.size_t(n)
		slots := unsafe.Slice(raw.logit_bias, n)
		i := 0
		for token, bias := range options.LogitBias {
			slots[i].token, slots[i].bias = C.quern_token(token), C.float(bias)
			i++
		}
	}
	return raw
}

// GenerateOptions say how text is generated.
type GenerateOptions struct {
	MaxTokens int             // 0: until the model ends or the context is full
	Sampler   *SamplerOptions // nil: DefaultSampler
	Stop      []string        // texts that end the generation; they are not part of the output
	// OnText gets the text as it becomes certain, whole characters, and returns whether to go on.
	OnText func(text string) bool
}

// StopReason is why a generation ended.
type StopReason int

// The reasons.
const (
	StopLength          StopReason = C.QUERN_STOP_LENGTH
	StopEndOfGeneration StopReason = C.QUERN_STOP_END_OF_GENERATION
	StopText            StopReason = C.QUERN_STOP_TEXT
	StopCancelled       StopReason = C.QUERN_STOP_CANCELLED
	StopContextFull     StopReason = C.QUERN_STOP_CONTEXT_FULL
)

// Generation is the result of a generation.
type Generation struct {
	Text       string
	Tokens     []Token // without the one that ended it and those of a stop text
	StopReason StopReason
	// Prompt tokens that were computed and that were found in the cache, and tokens made.
	NPrompt, NCached, NGenerated int
	PromptTime, GenerateTime     time.Duration
}

// generate calls a function that generates with the options in their C form. Where the context stopped it there is a result as far
// as it came, and an error.
func generate(ctx context.Context, options *GenerateOptions,
	function func(options *C.quern_generate_options, out **C.quern_generation) C.quern_status) (*Generation, error) {
	if options == nil {
		options = &GenerateOptions{}
	}
	var a arena
	defer a.free()
	c := &callback{onText: options.OnText}
	var user unsafe.Pointer
	if options.OnText != nil {
		var handle cgo.Handle
		user, handle = c.user(&a)
		defer c.release(handle)
	}
	w, err := watch(ctx)
	if err != nil {
		return nil, err
	}
	raw := (*C.quern_generate_options)(a.alloc(C.sizeof_quern_generate_options))
	C.quern_go_generate_options(raw, user)
	raw.max_tokens, raw.sampler, raw.cancel = C.int32_t(options.MaxTokens), a.sampler(options.Sampler), w.token
	if len(options.Stop) > 0 {
		raw.stop, raw.n_stop = a.texts(options.Stop), C.size_t(len(options.Stop))
	}
	var handle *C.quern_generation
	err = call(func() C.quern_status { return function(raw, &handle) })
	defer C.quern_generation_close(handle)
	var result *Generation
	if err == nil {
		result, err = taken(handle)
	}
	err = w.finish(err, result != nil && result.StopReason == StopCancelled)
	return result, err
}

func taken(handle *C.quern_generation) (*Generation, error) {
	var size, n C.size_t
	text := C.quern_generation_text(handle, &size)
	tokens := C.quern_generation_tokens(handle, &n)
	var timings C.quern_timings
	C.quern_go_timings(&timings)
	if err := call(func() C.quern_status { return C.quern_generation_get_timings(handle, &timings) }); err != nil {
		return nil, err
	}
	g := &Generation{
		Text: C.GoStringN(text, C.int(size)), StopReason: StopReason(C.quern_generation_stop_reason(handle)),
		NPrompt: int(timings.n_prompt), NCached: int(timings.n_cached), NGenerated: int(timings.n_generated),
		PromptTime:   time.Duration(float64(timings.prompt_seconds) * float64(time.Second)),
		GenerateTime: time.Duration(float64(timings.generate_seconds) * float64(time.Second)),
	}
	if n > 0 {
		g.Tokens = append(g.Tokens, unsafe.Slice((*Token)(unsafe.Pointer(tokens)), int(n))...)
	}
	return g, nil
}
