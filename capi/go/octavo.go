// Package octavo quantizes vision-language models to W8A8 with GPTQ, verifies the result, and runs it on a CPU.
//
//	model, err := octavo.Open("Qwen2.5-VL-3B-w8a8")
//	defer model.Close()
//	picture, err := os.ReadFile("cat.jpg")
//	answer, err := model.Generate(ctx, octavo.Question("What is this?", picture), octavo.Options{})
//	fmt.Println(answer.Text)
//
// A Model may be used by any number of goroutines. What a function holds of the C library's is released when it
// returns, but for a Model, which Close releases (or the garbage collector, later).
package octavo

/*
#cgo LDFLAGS: -loctavo
#include <octavo.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"runtime"
	"sync"
	"unsafe"
)

// Version is that of the library that is loaded: "0.1.0".
func Version() string { return C.GoString(C.octavo_version()) }

// A Model is an opened model directory.
type Model struct {
	mutex  sync.RWMutex // Close waits for what runs
	handle *C.octavo_model
}

// Open opens a model directory, quantized or not.
func Open(directory string) (*Model, error) {
	name, err := cString(directory)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(name))
	model := &Model{}
	if err := call(func() C.octavo_status { return C.octavo_model_open(name, &model.handle) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(model, (*Model).Close)
	return model, nil
}

// Close releases the model, once what runs on it has ended; again, it does nothing.
func (model *Model) Close() {
	model.mutex.Lock()
	defer model.mutex.Unlock()
	C.octavo_model_release(model.handle)
	model.handle = nil
	runtime.SetFinalizer(model, nil)
}

var errClosed = errors.New("octavo: the model is closed")

// cString is text for C, to be freed. A 0 in it would end it there, so it is refused.
func cString(text string) (*C.char, error) {
	for i := 0; i < len(text); i++ {
		if text[i] == 0 {
			return nil, &Error{Kind: InvalidArgument, Message: "a text holds a 0 character"}
		}
	}
	return C.CString(text), nil
}
