package octavo

/*
#include <octavo.h>
#include <stdint.h>
#include <stdlib.h>

int32_t octavoOnProgress(char* stage, int64_t done, int64_t total, void* user_data); // of callbacks.go

static int32_t on_progress(const char* stage, int64_t done, int64_t total, void* user_data) {
  return octavoOnProgress((char*)stage, done, total, user_data);
}
static void watch(octavo_quantize_options* options, uintptr_t handle) {
  options->progress = on_progress;
  options->user_data = (void*)handle;
}
*/
import "C"

import (
	"context"
	"runtime/cgo"
	"unsafe"
)

// texts are C strings that are freed together; an empty one is NULL, which is the default.
type texts struct {
	all []*C.char
	err error
}

func (t *texts) of(text string) *C.char {
	if text == "" || t.err != nil {
		return nil
	}
	var made *C.char
	if made, t.err = cString(text); t.err == nil {
		t.all = append(t.all, made)
	}
	return made
}

func (t *texts) free() {
	for _, text := range t.all {
		C.free(unsafe.Pointer(text))
	}
}

// QuantizeOptions say how a model is quantized; the zero value has every default.
type QuantizeOptions struct {
	Recipe      string // a preset's name or a file; "": "default"
	Calibration string // a samples file
	MaxSamples  int64  // 0: all
	Overwrite   bool   // replaces an earlier output of Octavo's, and nothing else
	Progress    func(stage string, done, total int64) bool
}

// Quantize writes the directory out, complete or not at all, and returns the report, JSON.
func Quantize(ctx context.Context, model, out string, options QuantizeOptions) (string, error) {
	var strings texts
	defer strings.free()
	raw := (*C.octavo_quantize_options)(C.calloc(1, C.sizeof_octavo_quantize_options)) // in C's memory: it holds pointers
	defer C.free(unsafe.Pointer(raw))
	raw.struct_size = C.sizeof_octavo_quantize_options
	raw.recipe = strings.of(options.Recipe)
	raw.calibration = strings.of(options.Calibration)
	raw.max_samples = C.int64_t(options.MaxSamples)
	if options.Overwrite {
		raw.overwrite = 1
	}
	source, target := strings.of(model), strings.of(out)
	if strings.err != nil {
		return "", strings.err
	}
	callback := &onProgress{call: options.Progress}
	if options.Progress != nil {
		handle := cgo.NewHandle(callback)
		defer handle.Delete()
		C.watch(raw, C.uintptr_t(handle))
	}
	var json *C.char
	err := withCancel(ctx, func(cancel *C.octavo_cancel) error {
		raw.cancel = cancel
		return call(func() C.octavo_status { return C.octavo_quantize(source, target, raw, &json) })
	})
	defer C.octavo_string_release(json)
	if callback.panicked != nil {
		panic(callback.panicked)
	}
	if err != nil {
		return "", err
	}
	return C.GoString(json), nil
}

// VerifyOptions say how a quantized model is held against its original.
type VerifyOptions struct {
	Samples    string // a samples file; "": built-in prompts, and no evaluation
	MaxSamples int64  // 0: all
}

// Verify tells whether quantized still answers like original, and why, as JSON (docs/verify.md).
func Verify(ctx context.Context, original, quantized string, options VerifyOptions) (passed bool, json string, err error) {
	var strings texts
	defer strings.free()
	raw := (*C.octavo_verify_options)(C.calloc(1, C.sizeof_octavo_verify_options))
	defer C.free(unsafe.Pointer(raw))
	raw.struct_size = C.sizeof_octavo_verify_options
	raw.samples = strings.of(options.Samples)
	raw.max_samples = C.int64_t(options.MaxSamples)
	first, second := strings.of(original), strings.of(quantized)
	if strings.err != nil {
		return false, "", strings.err
	}
	var verdict C.int32_t
	var document *C.char
	err = withCancel(ctx, func(cancel *C.octavo_cancel) error {
		raw.cancel = cancel
		return call(func() C.octavo_status { return C.octavo_verify(first, second, raw, &verdict, &document) })
	})
	if err != nil {
		return false, "", err
	}
	defer C.octavo_string_release(document)
	return verdict != 0, C.GoString(document), nil
}
