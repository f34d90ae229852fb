package octavo

// #include <octavo.h>
// #include <stdlib.h>
import "C"

import "unsafe"

// An Argument of a contract: its name, and the dimensions of a float32 tensor.
type Argument struct {
	Name string
	Dims []int64
}

// CheckContract checks the shapes of named tensors against a contract such as "linear: x[M,K] w[N,K] -> y[M,N]". The
// error's Shape says which dimension is at fault.
func CheckContract(contract, module string, arguments ...Argument) error {
	var strings texts
	defer strings.free()
	count := C.size_t(len(arguments))
	pointer := C.size_t(unsafe.Sizeof(uintptr(0)))
	names := (**C.char)(C.calloc(count+1, pointer))
	tensors := (**C.octavo_tensor)(C.calloc(count+1, pointer))
	defer C.free(unsafe.Pointer(names))
	defer C.free(unsafe.Pointer(tensors))
	for i, argument := range arguments {
		unsafe.Slice(names, count)[i] = strings.of(argument.Name)
		var dims *C.int64_t
		if len(argument.Dims) > 0 {
			dims = (*C.int64_t)(&argument.Dims[0])
		}
		var tensor *C.octavo_tensor
		rank := C.size_t(len(argument.Dims))
		err := call(func() C.octavo_status { return C.octavo_tensor_create(C.OCTAVO_F32, dims, rank, &tensor) })
		if err != nil {
			return err
		}
		defer C.octavo_tensor_release(tensor)
		unsafe.Slice(tensors, count)[i] = tensor
	}
	text, path := strings.of(contract), strings.of(module)
	if strings.err != nil {
		return strings.err
	}
	return call(func() C.octavo_status {
		return C.octavo_contract_check(text, path, names, tensors, count, nil, nil, 0)
	})
}
