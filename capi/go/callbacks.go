package octavo

// #include <octavo.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// Functions that C calls. A panic must not cross C: it is kept, and ends the job.

type onText struct {
	call     func(text string) bool
	panicked any
}

//export octavoOnEvent
func octavoOnEvent(event *C.octavo_token_event, userData unsafe.Pointer) (stop C.int32_t) {
	callback := cgo.Handle(uintptr(userData)).Value().(*onText)
	defer func() {
		if callback.panicked = recover(); callback.panicked != nil {
			stop = 1
		}
	}()
	if callback.call(C.GoStringN(event.text, C.int(event.text_size))) {
		return 0
	}
	return 1
}

type onProgress struct {
	call     func(stage string, done, total int64) bool
	panicked any
}

//export octavoOnProgress
func octavoOnProgress(stage *C.char, done, total C.int64_t, userData unsafe.Pointer) (stop C.int32_t) {
	callback := cgo.Handle(uintptr(userData)).Value().(*onProgress)
	defer func() {
		if callback.panicked = recover(); callback.panicked != nil {
			stop = 1
		}
	}()
	if callback.call(C.GoString(stage), int64(done), int64(total)) {
		return 0
	}
	return 1
}
