package quern

/*
#include <quern_c.h>
#include <stdlib.h>
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Tokenize makes tokens of a text, with BOS or EOS where the model asks for them.
func (m *Model) Tokenize(text string) ([]Token, error) { return m.TokenizeWith(text, true, false) }

// TokenizeWith chooses: addSpecial adds BOS or EOS where the model asks for them; parseSpecial reads control tokens written out in
// the text, which is not for text that users typed.
func (m *Model) TokenizeWith(text string, addSpecial, parseSpecial bool) ([]Token, error) {
	defer runtime.KeepAlive(m)
	var flags C.uint32_t
	if addSpecial {
		flags |= C.QUERN_TOKENIZE_ADD_SPECIAL
	}
	if parseSpecial {
		flags |= C.QUERN_TOKENIZE_PARSE_SPECIAL
	}
	var a arena
	defer a.free()
	from := a.text(text)
	return filled(len(text)+4, func(buffer []Token, needed *C.size_t) C.quern_status {
		return C.quern_tokenize(m.handle, from, C.size_t(len(text)), flags, tokensPtr(buffer), C.size_t(len(buffer)), needed)
	})
}

// Detokenize is the text of tokens; control tokens are left out.
func (m *Model) Detokenize(tokens []Token) (string, error) {
	defer runtime.KeepAlive(m)
	bytes, err := filled(len(tokens)*8+16, func(buffer []byte, needed *C.size_t) C.quern_status {
		to := (*C.char)(unsafe.Pointer(&buffer[0]))
		return C.quern_detokenize(m.handle, tokensPtr(tokens), C.size_t(len(tokens)), 0, to, C.size_t(len(buffer)), needed)
	})
	if err != nil {
		return "", err
	}
	return string(bytes[:len(bytes)-1]), nil // without the terminating zero
}

// FindToken is the token of this exact vocabulary text, such as "<|im_end|>".
func (m *Model) FindToken(text string) (Token, bool) {
	defer runtime.KeepAlive(m)
	var a arena
	defer a.free()
	token := Token(C.quern_token_find(m.handle, a.text(text), C.size_t(len(text))))
	return token, token >= 0
}

// IsEnd says whether a token ends a generation: EOS, end of turn and the like.
func (m *Model) IsEnd(token Token) bool {
	defer runtime.KeepAlive(m)
	return C.quern_token_is_end(m.handle, C.quern_token(token)) != 0
}

// filled calls a function that fills a caller's buffer, a second time where it was too small.
func filled[T any](guess int, function func(buffer []T, needed *C.size_t) C.quern_status) ([]T, error) {
	for {
		buffer := make([]T, guess)
		var needed C.size_t
		err := call(func() C.quern_status { return function(buffer, &needed) })
		if e, ok := err.(*Error); ok && e.Code == C.QUERN_ERROR_BUFFER_TOO_SMALL && int(needed) > guess {
			guess = int(needed)
			continue
		}
		if err != nil {
			return nil, err
		}
		return buffer[:needed], nil
	}
}

// Role is who says a message.
type Role string

// The roles that every template knows.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	Tool      Role = "tool"
)

// Message is one message of a conversation.
type Message struct {
	Role    Role
	Content string
}

// Template makes of messages the prompt that a model was trained on.
type Template struct{ handle *C.quern_chat_template }

// NewTemplate is the model's template, or ChatML where it has none; jinja, where not empty, is one to be used instead.
func NewTemplate(model *Model, jinja string) (*Template, error) {
	defer runtime.KeepAlive(model)
	t := &Template{}
	err := call(func() C.quern_status {
		if jinja == "" {
			return C.quern_chat_template_from_model(model.handle, &t.handle)
		}
		var a arena
		defer a.free()
		return C.quern_chat_template_from_source(model.handle, a.text(jinja), C.size_t(len(jinja)), &t.handle)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(t, (*Template).Close)
	return t, nil
}

// Close gives the template back. It may be repeated.
func (t *Template) Close() error {
	C.quern_chat_template_close(t.handle)
	t.handle = nil
	return nil
}

// Render is the prompt as text.
func (t *Template) Render(messages []Message) (string, error) {
	defer runtime.KeepAlive(t)
	var a arena
	defer a.free()
	raw := a.messages(messages)
	bytes, err := filled(1024, func(buffer []byte, needed *C.size_t) C.quern_status {
		to := (*C.char)(unsafe.Pointer(&buffer[0]))
		return C.quern_chat_template_render(t.handle, raw, C.size_t(len(messages)), nil, to, C.size_t(len(buffer)), needed)
	})
	if err != nil {
		return "", err
	}
	return string(bytes[:len(bytes)-1]), nil
}

// Tokenize is the prompt as tokens, with exactly one BOS where the model wants one.
func (t *Template) Tokenize(messages []Message) ([]Token, error) {
	defer runtime.KeepAlive(t)
	var a arena
	defer a.free()
	raw := a.messages(messages)
	return filled(512, func(buffer []Token, needed *C.size_t) C.quern_status {
		to, capacity := tokensPtr(buffer), C.size_t(len(buffer))
		return C.quern_chat_template_tokenize(t.handle, raw, C.size_t(len(messages)), nil, to, capacity, needed)
	})
}

func (a *arena) messages(messages []Message) *C.quern_chat_message {
	raw := (*C.quern_chat_message)(a.alloc(C.size_t(len(messages)+1) * C.sizeof_quern_chat_message))
	slots := unsafe.Slice(raw, len(messages))
	for i, message := range messages {
		slots[i].role = a.text(string(message.Role))
		slots[i].content = a.text(message.Content)
		slots[i].content_size = C.size_t(len(message.Content))
	}
	return raw
}
