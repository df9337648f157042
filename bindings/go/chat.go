package quern

/*
#include <quern_c.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"runtime"
)

// Chat is a conversation: it keeps the messages, renders the model's template, and computes only what is new.
type Chat struct{ handle *C.quern_chat }

// NewChat makes a conversation in a context of its own; options may be nil, and system empty.
func NewChat(model *Model, options *ContextOptions, system string) (*Chat, error) {
	defer runtime.KeepAlive(model)
	var a arena
	defer a.free()
	raw, text := a.context(options), a.optional(system)
	c := &Chat{}
	err := call(func() C.quern_status {
		return C.quern_chat_create(model.handle, raw, text, C.size_t(len(system)), &c.handle)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(c, (*Chat).Close)
	return c, nil
}

// Close gives the conversation back. It may be repeated.
func (c *Chat) Close() error {
	C.quern_chat_close(c.handle)
	c.handle = nil
	return nil
}

// Send adds the message and the answer to the conversation; options may be nil. An answer that was stopped is kept as far as it
// came. If the conversation no longer fits, the error is ErrContextFull, and the message is not added.
func (c *Chat) Send(ctx context.Context, message string, options *GenerateOptions) (*Generation, error) {
	defer runtime.KeepAlive(c)
	var a arena
	defer a.free()
	text := a.text(message)
	return generate(ctx, options, func(raw *C.quern_generate_options, out **C.quern_generation) C.quern_status {
		return C.quern_chat_send(c.handle, text, C.size_t(len(message)), raw, out)
	})
}

// Messages are all messages, the system prompt included.
func (c *Chat) Messages() []Message {
	defer runtime.KeepAlive(c)
	var messages []Message
	for i := C.size_t(0); i < C.quern_chat_n_messages(c.handle); i++ {
		var raw C.quern_chat_message
		if C.quern_chat_get_message(c.handle, i, &raw) == C.QUERN_OK {
			content := C.GoStringN(raw.content, C.int(raw.content_size))
			messages = append(messages, Message{Role(C.GoString(raw.role)), content})
		}
	}
	return messages
}

// Undo takes back the last question and its answer.
func (c *Chat) Undo() {
	defer runtime.KeepAlive(c)
	C.quern_chat_undo(c.handle)
}

// Clear forgets all but the system prompt.
func (c *Chat) Clear() {
	defer runtime.KeepAlive(c)
	C.quern_chat_clear(c.handle)
}
