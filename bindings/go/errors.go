package quern

/*
#include <quern_c.h>
*/
import "C"

import (
	"context"
	"runtime"
)

// Code is the kind of a failure: a status of the C interface.
type Code int32

// The kinds of failures. New ones may appear.
const (
	CodeIO          Code = C.QUERN_ERROR_IO
	CodeNotFound    Code = C.QUERN_ERROR_NOT_FOUND
	CodeFormat      Code = C.QUERN_ERROR_FORMAT
	CodeUnsupported Code = C.QUERN_ERROR_UNSUPPORTED
	CodeArgument    Code = C.QUERN_ERROR_ARGUMENT
	CodeMemory      Code = C.QUERN_ERROR_MEMORY
	CodeDevice      Code = C.QUERN_ERROR_DEVICE
	CodeCancelled   Code = C.QUERN_ERROR_CANCELLED
	CodeContextFull Code = C.QUERN_ERROR_CONTEXT_FULL
	CodeBusy        Code = C.QUERN_ERROR_BUSY
	CodeInternal    Code = C.QUERN_ERROR_INTERNAL
)

// String is the code's short name, such as "not_found".
func (c Code) String() string { return C.GoString(C.quern_status_name(C.quern_status(c))) }

// Error is what failed calls return.
type Error struct {
	Code Code
	// Message names the file, key, tensor and value concerned.
	Message string
	cause   error
}

// For errors.Is: each stands for every error of its code.
var (
	ErrIO          = &Error{Code: CodeIO}
	ErrNotFound    = &Error{Code: CodeNotFound}
	ErrFormat      = &Error{Code: CodeFormat}
	ErrUnsupported = &Error{Code: CodeUnsupported}
	ErrArgument    = &Error{Code: CodeArgument}
	ErrMemory      = &Error{Code: CodeMemory}
	ErrDevice      = &Error{Code: CodeDevice}
	ErrCancelled   = &Error{Code: CodeCancelled}
	ErrContextFull = &Error{Code: CodeContextFull}
	ErrBusy        = &Error{Code: CodeBusy}
	ErrInternal    = &Error{Code: CodeInternal}
)

// Error is the library's message.
func (e *Error) Error() string {
	if e.Message == "" {
		return "quern: " + e.Code.String()
	}
	return "quern: " + e.Message
}

// Is reports whether target is an *Error of the same code without a message.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code && other.Message == ""
}

// Unwrap is the context's error where a context stopped the operation.
func (e *Error) Unwrap() error { return e.cause }

// call runs a function of the C interface and makes an error of its status. The message belongs to the thread of the system,
// which a goroutine may leave between two calls.
func call(function func() C.quern_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := function()
	if status == C.QUERN_OK {
		return nil
	}
	return &Error{Code: Code(status), Message: C.GoString(C.quern_last_error_message())}
}

// watched is a cancel token that a context raises.
type watched struct {
	ctx   context.Context
	token *C.quern_cancel_token
	quit  chan struct{}
	ended chan struct{}
}

// watch has a nil token for contexts that are never done. It is ended with finish.
func watch(ctx context.Context) (*watched, error) {
	w := &watched{ctx: ctx}
	if ctx == nil || ctx.Done() == nil {
		return w, nil
	}
	if err := call(func() C.quern_status { return C.quern_cancel_token_create(&w.token) }); err != nil {
		return nil, err
	}
	w.quit, w.ended = make(chan struct{}), make(chan struct{})
	if ctx.Err() != nil { // before the operation begins, and not some time after
		C.quern_cancel_token_cancel(w.token)
	}
	go func() {
		defer close(w.ended)
		select {
		case <-ctx.Done():
			C.quern_cancel_token_cancel(w.token)
		case <-w.quit:
		}
	}()
	return w, nil
}

// finish gives the token back. Where the context has stopped the operation, the error says so.
func (w *watched) finish(err error, stopped bool) error {
	if w.token == nil {
		return err
	}
	close(w.quit)
	<-w.ended
	raised := C.quern_cancel_token_cancelled(w.token) != 0
	C.quern_cancel_token_close(w.token)
	if !raised || w.ctx.Err() == nil {
		return err
	}
	if e, ok := err.(*Error); ok && e.Code == CodeCancelled {
		e.cause = w.ctx.Err()
	} else if err == nil && stopped {
		return &Error{Code: CodeCancelled, Message: "stopped: " + w.ctx.Err().Error(), cause: w.ctx.Err()}
	}
	return err
}
