// Where large buffers come from.
#include <octavo/allocator.hpp>

#include "guard.hpp"

extern "C" {

octavo_status octavo_set_allocator(octavo_allocate_fn allocate, octavo_free_fn release, void* user_data) {
  return octavo::capi::guarded([&] { octavo::set_allocator({allocate, release, user_data}); });
}

}  // extern "C"
