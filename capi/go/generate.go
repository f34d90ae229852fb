package octavo

/*
#include <octavo.h>
#include <stdint.h>
#include <stdlib.h>

int32_t octavoOnEvent(octavo_token_event* event, void* user_data); // of callbacks.go

static int32_t on_event(const octavo_token_event* event, void* user_data) {
  return octavoOnEvent((octavo_token_event*)event, user_data);
}
static void stream_to(octavo_generate_options* options, uintptr_t handle) {
  options->on_event = on_event;
  options->user_data = (void*)handle;
}
*/
import "C"

import (
	"context"
	"runtime/cgo"
	"unsafe"
)

// Sampling is how tokens are drawn. A temperature of 0 takes the best one.
type Sampling struct {
	Temperature float64
	TopP        float64 // 0 to 1; 1 is off
	TopK        int64   // 0 is off
	Seed        uint64  // the same seed draws the same tokens
}

// Greedy takes the best token.
var Greedy = &Sampling{TopP: 1}

// Options say how an answer is made; the zero value has every default.
type Options struct {
	MaxNewTokens int64                  // 0: what the model's files say, else 256
	Sampling     *Sampling              // nil: as generation_config.json says
	Stop         []string               // texts that end the answer, and are left out of it
	OnText       func(text string) bool // gets the text that became complete; false ends the answer
}

// FinishReason is why an answer ended.
type FinishReason int

const (
	Stop     FinishReason = C.OCTAVO_FINISH_STOP      // the model, or a stop text, ended it
	Length   FinishReason = C.OCTAVO_FINISH_LENGTH    // it reached MaxNewTokens
	Returned FinishReason = C.OCTAVO_FINISH_CANCELLED // OnText ended it
)

// An Answer is a text, and the ids of its tokens, the stop token included.
type Answer struct {
	Text         string
	Tokens       []int32
	PromptTokens int64
	FinishReason FinishReason
}

// Generate answers a conversation. When the context ends first, the error is the context's.
func (model *Model) Generate(ctx context.Context, messages []Message, options Options) (*Answer, error) {
	model.mutex.RLock()
	defer model.mutex.RUnlock()
	if model.handle == nil {
		return nil, errClosed
	}
	prompt, err := prompt(model.handle, messages)
	if err != nil {
		return nil, err
	}
	defer C.octavo_prompt_release(prompt)

	var raw *C.octavo_generate_options // in C's memory: it holds pointers
	raw = (*C.octavo_generate_options)(C.calloc(1, C.sizeof_octavo_generate_options))
	defer C.free(unsafe.Pointer(raw))
	raw.struct_size = C.sizeof_octavo_generate_options
	if err := call(func() C.octavo_status { return C.octavo_generate_options_init(raw) }); err != nil {
		return nil, err
	}
	raw.max_new_tokens = C.int64_t(options.MaxNewTokens)
	if options.Sampling != nil {
		raw.sampling = C.OCTAVO_SAMPLING_ON
		raw.temperature = C.double(options.Sampling.Temperature)
		raw.top_p = C.double(options.Sampling.TopP)
		raw.top_k = C.int64_t(options.Sampling.TopK)
		raw.seed = C.uint64_t(options.Sampling.Seed)
	}
	release, err := stopAt(raw, options.Stop)
	defer release()
	if err != nil {
		return nil, err
	}
	callback := &onText{call: options.OnText}
	if options.OnText != nil {
		handle := cgo.NewHandle(callback)
		defer handle.Delete()
		C.stream_to(raw, C.uintptr_t(handle))
	}
	result := C.octavo_generate_result{struct_size: C.sizeof_octavo_generate_result}
	err = withCancel(ctx, func(cancel *C.octavo_cancel) error {
		raw.cancel = cancel
		return call(func() C.octavo_status {
			return C.octavo_generate_prompt(model.handle, prompt, raw, &result)
		})
	})
	defer C.octavo_generate_result_release(&result)
	if callback.panicked != nil {
		panic(callback.panicked) // in its caller: it must not cross C
	}
	if err != nil {
		return nil, err
	}
	answer := &Answer{
		Text:         C.GoStringN(result.text, C.int(result.text_size)),
		PromptTokens: int64(result.prompt_tokens),
		FinishReason: FinishReason(result.finish_reason),
	}
	for _, id := range unsafe.Slice(result.tokens, int(result.new_tokens)) {
		answer.Tokens = append(answer.Tokens, int32(id))
	}
	return answer, nil
}

// stopAt sets the stop texts; what it returns frees them, also where it fails.
func stopAt(raw *C.octavo_generate_options, texts []string) (release func(), err error) {
	if len(texts) == 0 {
		return func() {}, nil
	}
	size := C.size_t(unsafe.Sizeof(uintptr(0)))
	list := (**C.char)(C.calloc(C.size_t(len(texts)), size))
	pointers := unsafe.Slice(list, len(texts))
	release = func() {
		for _, text := range pointers {
			C.free(unsafe.Pointer(text))
		}
		C.free(unsafe.Pointer(list))
	}
	for i, text := range texts {
		if pointers[i], err = cString(text); err != nil {
			return release, err
		}
	}
	raw.stop_strings = list
	raw.stop_string_count = C.size_t(len(texts))
	return release, nil
}
