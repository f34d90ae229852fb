package octavo

// #include <octavo.h>
import "C"

import "context"

// withCancel runs a job that stops when the context ends. The error is then the context's.
func withCancel(ctx context.Context, job func(cancel *C.octavo_cancel) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var cancel *C.octavo_cancel
	if err := call(func() C.octavo_status { return C.octavo_cancel_create(&cancel) }); err != nil {
		return err
	}
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ctx.Done():
			C.octavo_cancel_request(cancel)
		case <-done:
		}
	}()
	err := job(cancel)
	close(done)
	<-watched
	C.octavo_cancel_release(cancel)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
