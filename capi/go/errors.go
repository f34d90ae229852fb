package octavo

// #include <octavo.h>
import "C"

import "runtime"

// Kind is what kind of failure it was; the values are octavo_status's.
type Kind int

const (
	InvalidArgument Kind = C.OCTAVO_INVALID_ARGUMENT // a value is outside its domain
	ShapeMismatch   Kind = C.OCTAVO_SHAPE_MISMATCH   // a shape contract is broken: Error.Shape
	DtypeMismatch   Kind = C.OCTAVO_DTYPE_MISMATCH
	NotFound        Kind = C.OCTAVO_NOT_FOUND
	IO              Kind = C.OCTAVO_IO
	Format          Kind = C.OCTAVO_FORMAT
	Unsupported     Kind = C.OCTAVO_UNSUPPORTED
	OutOfMemory     Kind = C.OCTAVO_OUT_OF_MEMORY
	Cancelled       Kind = C.OCTAVO_CANCELLED
	Exists          Kind = C.OCTAVO_EXISTS
	NotFinite       Kind = C.OCTAVO_NOT_FINITE
	Internal        Kind = C.OCTAVO_INTERNAL
)

func (kind Kind) String() string { return C.GoString(C.octavo_status_name(C.octavo_status(kind))) }

// An Error is every failure of the library: a kind, one clear line, and for a broken shape contract its fields.
type Error struct {
	Kind    Kind
	Message string
	Shape   *ShapeError // nil unless a contract was broken
}

func (e *Error) Error() string { return e.Message }

// A ShapeError has the fields of a broken contract.
type ShapeError struct {
	Op       string // "attention"
	Module   string // module path in the model, may be empty
	Argument string // "mask"
	DimName  string // "Lk (kv_len)"
	Dim      int64  // index, outermost first; -1 when the rank or the element type is at fault
	Expected int64
	Actual   int64
}

// call runs a function of the library, and turns its status into an error. The library keeps the last error for each
// thread, so the goroutine stays on one until it has read it.
func call(job func() C.octavo_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := job()
	if status == C.OCTAVO_OK {
		return nil
	}
	failure := &Error{Kind: Kind(status), Message: C.GoString(C.octavo_last_error())}
	fields := C.octavo_shape_error{struct_size: C.sizeof_octavo_shape_error}
	if C.octavo_last_shape_error(&fields) == C.OCTAVO_OK {
		failure.Shape = &ShapeError{
			Op:       C.GoString(fields.op),
			Module:   C.GoString(fields.module),
			Argument: C.GoString(fields.argument),
			DimName:  C.GoString(fields.dim_name),
			Dim:      int64(fields.dim),
			Expected: int64(fields.expected),
			Actual:   int64(fields.actual),
		}
	}
	return failure
}
