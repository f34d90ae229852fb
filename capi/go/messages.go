package octavo

// #include <octavo.h>
// #include <stdlib.h>
import "C"

import "unsafe"

// A Message is one turn: its role is "system", "user" or "assistant".
type Message struct {
	Role  string
	Parts []Part
}

// A Part is a text or, where Picture is not nil, the bytes of a picture file: JPEG, PNG, WebP, GIF, BMP or PNM.
type Part struct {
	Text    string
	Picture []byte
}

// Question is one message of the user: pictures, then the text.
func Question(text string, pictures ...[]byte) []Message {
	message := Message{Role: "user"}
	for _, picture := range pictures {
		message.Parts = append(message.Parts, Part{Picture: picture})
	}
	message.Parts = append(message.Parts, Part{Text: text})
	return []Message{message}
}

// prompt makes what the model reads; to be released.
func prompt(model *C.octavo_model, messages []Message) (*C.octavo_prompt, error) {
	var conversation *C.octavo_messages
	if err := call(func() C.octavo_status { return C.octavo_messages_create(&conversation) }); err != nil {
		return nil, err
	}
	defer C.octavo_messages_release(conversation)
	for _, message := range messages {
		role, err := cString(message.Role)
		if err != nil {
			return nil, err
		}
		err = call(func() C.octavo_status { return C.octavo_messages_add(conversation, role, nil) })
		C.free(unsafe.Pointer(role))
		for i := 0; err == nil && i < len(message.Parts); i++ {
			err = addPart(conversation, message.Parts[i])
		}
		if err != nil {
			return nil, err
		}
	}
	var prompt *C.octavo_prompt
	err := call(func() C.octavo_status { return C.octavo_prompt_create(model, conversation, nil, &prompt) })
	return prompt, err
}

func addPart(conversation *C.octavo_messages, part Part) error {
	if part.Picture == nil {
		text, err := cString(part.Text)
		if err != nil {
			return err
		}
		defer C.free(unsafe.Pointer(text))
		return call(func() C.octavo_status { return C.octavo_messages_add_text(conversation, text) })
	}
	bytes := unsafe.Pointer(new(byte)) // not nil, of an empty file either
	if len(part.Picture) > 0 {
		bytes = unsafe.Pointer(&part.Picture[0])
	}
	var image *C.octavo_image
	size := C.size_t(len(part.Picture))
	if err := call(func() C.octavo_status { return C.octavo_image_decode(bytes, size, nil, &image) }); err != nil {
		return err
	}
	defer C.octavo_image_release(image) // the messages share it
	return call(func() C.octavo_status { return C.octavo_messages_add_image(conversation, image) })
}
