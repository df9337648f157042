package quern

/*
#include <quern_c.h>
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// callback is what C calls back into. A panic must not pass through the library's frames: it stops the operation, and goes on
// when that has returned.
type callback struct {
	onText     func(text string) bool
	onProgress func(stage string, done, total uint64) bool
	panicked   any
}

// user is for C: a place in its memory that holds the handle. Both live until release.
func (c *callback) user(a *arena) (unsafe.Pointer, cgo.Handle) {
	handle := cgo.NewHandle(c)
	place := a.alloc(C.size_t(unsafe.Sizeof(handle)))
	*(*cgo.Handle)(place) = handle
	return place, handle
}

func (c *callback) release(handle cgo.Handle) {
	handle.Delete()
	if c.panicked != nil {
		panic(c.panicked)
	}
}

func callbackOf(user unsafe.Pointer) *callback { return (*(*cgo.Handle)(user)).Value().(*callback) }

// guarded is what C gets: 0 to go on.
func (c *callback) guarded(function func() bool) (status C.int) {
	if c.panicked != nil {
		return 1
	}
	status = 1
	defer func() {
		if p := recover(); p != nil {
			c.panicked = p
		}
	}()
	if function() {
		status = 0
	}
	return status
}

//export quernGoOnToken
func quernGoOnToken(user unsafe.Pointer, token C.int32_t, text *C.char, size C.size_t) C.int {
	c := callbackOf(user)
	if size == 0 {
		return 0
	}
	return c.guarded(func() bool { return c.onText(C.GoStringN(text, C.int(size))) })
}

//export quernGoOnProgress
func quernGoOnProgress(user unsafe.Pointer, stage *C.char, done, total C.uint64_t) C.int {
	c := callbackOf(user)
	return c.guarded(func() bool { return c.onProgress(C.GoString(stage), uint64(done), uint64(total)) })
}
