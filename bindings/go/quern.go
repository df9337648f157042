// Package quern runs large language models on small hardware. It is a cgo binding of Quern's C interface, and finds the shared
// library libquern_c through pkg-config.
//
//	model, err := quern.Open("model.gguf", nil)
//	if err != nil {
//		return err // names the file, the key or tensor, and what was expected
//	}
//	defer model.Close()
//	chat, err := quern.NewChat(model, nil, "You answer briefly.")
//	if err != nil {
//		return err
//	}
//	defer chat.Close()
//	_, err = chat.Send(ctx, "Why is the sky blue?", &quern.GenerateOptions{OnText: func(text string) bool {
//		fmt.Print(text)
//		return true // false stops
//	}})
//
// Goroutines: a Runtime, Model, Adapter or Template may be used by many at once; everything else by one at a time.
//
// Close gives memory back at once; what is not closed is given back when the garbage collector finds it. Everything keeps what it
// stands on: a model may be closed while its chats are in use.
//
// Errors are *Error, and errors.Is knows the kinds: errors.Is(err, quern.ErrNotFound). A context.Context that is done stops the
// operation it was given to, whose error then Is the context's error and ErrCancelled.
package quern

/*
#cgo pkg-config: quern_c
#include <quern_c.h>
#include <stdlib.h>
*/
import "C"

import "unsafe"

// Token is an index into a model's vocabulary.
type Token int32

// Version is the release of the library that is running, "major.minor.patch".
func Version() string { return C.GoString(C.quern_version()) }

// arena is C memory for the time of a call: what C reads may not lie in Go's memory where it has pointers in it.
type arena struct{ blocks []unsafe.Pointer }

func (a *arena) alloc(size C.size_t) unsafe.Pointer {
	p := C.calloc(1, size)
	a.blocks = append(a.blocks, p)
	return p
}

func (a *arena) text(s string) *C.char {
	p := C.CString(s)
	a.blocks = append(a.blocks, unsafe.Pointer(p))
	return p
}

// optional is NULL for an empty text.
func (a *arena) optional(s string) *C.char {
	if s == "" {
		return nil
	}
	return a.text(s)
}

func (a *arena) texts(list []string) **C.char {
	p := (**C.char)(a.alloc(C.size_t(len(list)+1) * C.size_t(unsafe.Sizeof(uintptr(0)))))
	slots := unsafe.Slice(p, len(list))
	for i, text := range list {
		slots[i] = a.text(text)
	}
	return p
}

func (a *arena) free() {
	for _, p := range a.blocks {
		C.free(p)
	}
	a.blocks = nil
}

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

func tokensPtr(tokens []Token) *C.quern_token {
	if len(tokens) == 0 {
		return nil
	}
	return (*C.quern_token)(unsafe.Pointer(&tokens[0]))
}
