package quern

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	demo   = "../../examples/models/quern-demo-q8_0.gguf"
	france = "What is the capital of France?"
	paris  = "The capital of France is Paris."
)

func open(t *testing.T) *Model {
	t.Helper()
	model, err := Open(demo, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return model
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestErrors(t *testing.T) {
	_, err := Open("no/such/model.gguf", nil)
	var e *Error
	if !errors.Is(err, ErrNotFound) || errors.Is(err, ErrFormat) || !errors.As(err, &e) || e.Code != CodeNotFound {
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), "no/such/model.gguf") || CodeNotFound.String() != "not_found" {
		t.Fatal(err, CodeNotFound)
	}
	wrong := DefaultSampler()
	wrong.TopP = 3
	if _, err = NewSampler(open(t), wrong); !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), "top_p") {
		t.Fatal(err)
	}
	closed := open(t)
	closed.Close()
	closed.Close()
	if _, err = NewChat(closed, nil, ""); !errors.Is(err, ErrArgument) {
		t.Fatal(err)
	}
	// Each thread of the system has a last message of its own; goroutines move between them.
	var wait sync.WaitGroup
	for _, name := range strings.Split("a b c d e f g h", " ") {
		wait.Add(1)
		go func(name string) {
			defer wait.Done()
			for i := 0; i < 50; i++ {
				if _, err := Open("missing_"+name, nil); err == nil || !strings.Contains(err.Error(), "missing_"+name) {
					t.Error(name, err)
				}
			}
		}(name)
	}
	wait.Wait()
}

func TestOpen(t *testing.T) {
	r := must(NewRuntime(&RuntimeOptions{Threads: 2}))(t)
	if r.Threads() != 2 || !strings.HasPrefix(r.String(), "cpu") {
		t.Fatal(r)
	}
	calls := 0
	model := must(Open(demo, &ModelOptions{Runtime: r, Progress: func(stage string, done, total uint64) bool {
		calls++
		return stage == "load" && (total == 0 || done <= total)
	}}))(t)
	r.Close() // the model keeps it
	info := must(model.Info())(t)
	if calls == 0 || info.Architecture != "llama" || info.Vocab != 4096 || info.FileType != "Q8_0" {
		t.Fatal(calls, info)
	}
	if value, found := model.Metadata("general.architecture"); value != "llama" || !found {
		t.Fatal(value)
	}
	if _, found := model.Metadata("no.such.key"); found || !strings.Contains(model.ChatTemplate(), "im_start") {
		t.Fatal("metadata")
	}
	if bytes := must(model.Footprint())(t); bytes < 1000000 {
		t.Fatal(bytes)
	}
	no := func(string, uint64, uint64) bool { return false }
	if _, err := Open(demo, &ModelOptions{Progress: no}); !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(demo, &ModelOptions{Context: ctx}); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
}

func TestTokens(t *testing.T) {
	model := open(t)
	for _, text := range []string{"", "Hello w\u00f6rld \U0001f30d", "zero\x00byte", strings.Repeat("long ", 1000)} {
		tokens := must(model.TokenizeWith(text, false, false))(t)
		if back := must(model.Detokenize(tokens))(t); back != text {
			t.Fatalf("%q came back as %q", text, back)
		}
	}
	if token, found := model.FindToken("<|im_end|>"); token != 4 || !found || !model.IsEnd(token) {
		t.Fatal(token)
	}
	if _, found := model.FindToken("none such"); found {
		t.Fatal("found")
	}
}

func TestTemplate(t *testing.T) {
	model := open(t)
	template := must(NewTemplate(model, ""))(t)
	messages := []Message{{User, "Hello!"}}
	text := must(template.Render(messages))(t)
	if !strings.HasSuffix(text, "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n") {
		t.Fatal(text)
	}
	if len(must(template.Tokenize(messages))(t)) < 6 {
		t.Fatal("too few tokens")
	}
	if _, err := NewTemplate(model, "{% if %}"); !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
}

func TestChat(t *testing.T) {
	chat := must(NewChat(open(t), nil, "You are a helpful assistant."))(t)
	defer chat.Close()
	ctx, streamed := context.Background(), ""
	options := &GenerateOptions{Sampler: Greedy(), OnText: func(text string) bool {
		streamed += text
		return true
	}}
	answer := must(chat.Send(ctx, france, options))(t)
	if answer.Text != paris || streamed != paris || answer.StopReason != StopEndOfGeneration {
		t.Fatal(answer, streamed)
	}
	if answer.NGenerated != len(answer.Tokens) || answer.NPrompt < 5 || answer.GenerateTime <= 0 {
		t.Fatal(answer)
	}
	options.OnText = func(string) bool { return false }
	if stopped := must(chat.Send(ctx, "And Japan?", options))(t); stopped.StopReason != StopCancelled {
		t.Fatal(stopped)
	}
	chat.Undo()
	if messages := chat.Messages(); len(messages) != 3 || messages[2] != (Message{Assistant, paris}) {
		t.Fatal(messages)
	}
	if _, err := chat.Send(ctx, strings.Repeat("so long ", 600), nil); !errors.Is(err, ErrContextFull) {
		t.Fatal(err)
	}
	chat.Clear()
	if answer = must(chat.Send(ctx, france, &GenerateOptions{Sampler: Greedy(), Stop: []string{" Paris"}}))(t); answer.StopReason != StopText {
		t.Fatal(answer)
	}
}

func TestContextCancels(t *testing.T) {
	chat := must(NewChat(open(t), &ContextOptions{Tokens: 4096}, ""))(t)
	sampler := DefaultSampler()
	sampler.IgnoreEOS = true
	ctx, cancel := context.WithCancel(context.Background())
	pieces := 0
	answer, err := chat.Send(ctx, "Tell me a long story.", &GenerateOptions{Sampler: sampler, OnText: func(string) bool {
		if pieces++; pieces == 5 {
			cancel()
		}
		return true
	}})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) || answer == nil || answer.StopReason != StopCancelled {
		t.Fatal(answer, err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err = chat.Send(ctx, "Another one.", &GenerateOptions{Sampler: sampler}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestPanicInCallback(t *testing.T) {
	chat := must(NewChat(open(t), nil, ""))(t)
	func() {
		defer func() {
			if p := recover(); p != "from the callback" {
				t.Fatal(p)
			}
		}()
		chat.Send(context.Background(), france, &GenerateOptions{OnText: func(string) bool { panic("from the callback") }})
	}()
	chat.Clear()
	if answer := must(chat.Send(context.Background(), france, &GenerateOptions{Sampler: Greedy()}))(t); answer.Text != paris {
		t.Fatal(answer)
	}
}

func TestPieces(t *testing.T) {
	model := open(t)
	c := must(NewContext(model, &ContextOptions{Tokens: 64, Sequences: 2}))(t)
	prompt := must(model.Tokenize("The old house stood"))(t)
	ctx := context.Background()
	whole := must(c.Generate(ctx, prompt, &GenerateOptions{MaxTokens: 20, Sampler: Greedy()}))(t)
	pieces := must(c.Pieces(ctx, prompt, Greedy()))(t)
	text := ""
	for len(text) < len(whole.Text) && pieces.Next() {
		text += pieces.Text()
	}
	if text != whole.Text || pieces.Err() != nil {
		t.Fatalf("%q %q %v", text, whole.Text, pieces.Err())
	}
	pieces.Close()
	if pieces.Next() {
		t.Fatal("closed")
	}

	endless := Greedy()
	endless.IgnoreEOS = true
	pieces = must(c.Pieces(ctx, prompt, endless))(t)
	for pieces.Next() {
	}
	if pieces.Err() != nil || c.Length(0) != 64 { // it ends where the context is full
		t.Fatal(pieces.Err(), c.Length(0))
	}
	c.Clear()
	if err := c.Append(ctx, prompt, 0); err != nil || len(c.Logits()) != 4096 {
		t.Fatal(err)
	}
	if err := c.Fork(0, 1); err != nil || c.Length(1) != len(prompt) {
		t.Fatal(err)
	}
	if err := c.SetAdapter(0, nil, 1); err != nil {
		t.Fatal(err)
	}
}

func TestEmbedder(t *testing.T) {
	embedder := must(NewEmbedder(open(t), &EmbedderOptions{Pooling: PoolingMean, Batch: 64}))(t)
	texts := []string{"The old house stood near the river.", "A house by a river.", "Two plus two is four."}
	vectors := must(embedder.Embed(context.Background(), texts...))(t)
	near, far := CosineSimilarity(vectors[0][0], vectors[1][0]), CosineSimilarity(vectors[0][0], vectors[2][0])
	if near <= far || embedder.Pooling() != PoolingMean {
		t.Fatal(near, far)
	}
	alone := must(embedder.Embed(context.Background(), texts[0]))(t)
	for i, x := range alone[0][0] {
		if x != vectors[0][0][i] {
			t.Fatal("differs alone")
		}
	}
	if _, err := embedder.Embed(context.Background(), strings.Repeat("long ", 100)); !errors.Is(err, ErrArgument) {
		t.Fatal(err)
	}
}

func TestManyGoroutines(t *testing.T) {
	model := open(t)
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			chat, err := NewChat(model, nil, "")
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := chat.Send(context.Background(), france, &GenerateOptions{Sampler: Greedy()})
			if err != nil || answer.Text != paris {
				t.Error(answer, err)
			}
		}()
	}
	wait.Wait()
}
