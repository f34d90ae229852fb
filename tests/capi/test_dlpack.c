/* DLPack in and out: no copies, strides and offsets, lifetimes. The structs are declared here as dlpack.h has them: the
 * header is Debian's libdlpack-dev, which tests/capi/dlpack_layout.cpp is compiled against. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

typedef struct {
  void* data;
  struct {
    int32_t device_type, device_id;
  } device;
  int32_t ndim;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
} Array;
struct DLManagedTensor {
  Array dl_tensor;
  void* manager_ctx;
  void (*deleter)(struct DLManagedTensor* self);
};
struct DLManagedTensorVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void* manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned* self);
  uint64_t flags;
  Array dl_tensor;
};

static int deleted = 0;
static void count_old(struct DLManagedTensor* self) {
  (void)self;
  ++deleted;
}
static void count_new(struct DLManagedTensorVersioned* self) {
  (void)self;
  ++deleted;
}

static float values[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static struct DLManagedTensorVersioned of_floats(int64_t* shape, int64_t* strides, int32_t ndim) {
  struct DLManagedTensorVersioned managed;
  memset(&managed, 0, sizeof managed);
  managed.version.major = 1;
  managed.version.minor = 1;
  managed.deleter = count_new;
  managed.dl_tensor.data = values;
  managed.dl_tensor.device.device_type = 1;
  managed.dl_tensor.ndim = ndim;
  managed.dl_tensor.dtype.code = 2;
  managed.dl_tensor.dtype.bits = 32;
  managed.dl_tensor.dtype.lanes = 1;
  managed.dl_tensor.shape = shape;
  managed.dl_tensor.strides = strides;
  return managed;
}

static void test_import(void) {
  int64_t shape[2] = {2, 3}, transposed[2] = {1, 2}, negative[2] = {-3, 1};
  struct DLManagedTensorVersioned managed = of_floats(shape, NULL, 2);
  octavo_tensor *tensor = NULL, *rows = NULL;
  struct DLManagedTensorVersioned* again = NULL;
  void* data = NULL;
  const void* bytes = NULL;
  int64_t stride = 0;
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_OK);
  CHECK(octavo_tensor_data(tensor, &data, NULL) == OCTAVO_OK && data == values); /* no copy */
  CHECK(octavo_tensor_stride(tensor, 0, &stride) == OCTAVO_OK && stride == 3);
  CHECK(octavo_tensor_stride(tensor, 2, &stride) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tensor_to_dlpack(tensor, &again) == OCTAVO_OK); /* and on to a third */
  octavo_tensor_release(tensor);
  CHECK(deleted == 0);
  again->deleter(again);
  CHECK(deleted == 1); /* with the last use, once */

  managed = of_floats(shape, transposed, 2);
  managed.dl_tensor.byte_offset = 2 * sizeof(float);
  managed.flags = 1; /* read-only */
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_OK);
  CHECK(octavo_tensor_data(tensor, &data, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tensor_read(tensor, &bytes, NULL) == OCTAVO_INVALID_ARGUMENT); /* not row-major */
  CHECK(octavo_tensor_contiguous(tensor, &rows) == OCTAVO_OK);
  CHECK(octavo_tensor_read(rows, &bytes, NULL) == OCTAVO_OK);
  CHECK(((const float*)bytes)[0] == 2 && ((const float*)bytes)[1] == 4 && ((const float*)bytes)[3] == 3);
  octavo_tensor_release(rows);
  octavo_tensor_release(tensor);
  CHECK(deleted == 2);

  tensor = NULL; /* what cannot be taken over stays the caller's */
  managed = of_floats(shape, negative, 2);
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_UNSUPPORTED);
  managed = of_floats(shape, NULL, 2);
  managed.dl_tensor.device.device_type = 2;
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_UNSUPPORTED);
  managed = of_floats(shape, NULL, 2);
  managed.dl_tensor.dtype.code = 6; /* bool */
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_UNSUPPORTED);
  managed = of_floats(shape, NULL, 2);
  managed.dl_tensor.dtype.lanes = 4;
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_UNSUPPORTED);
  managed = of_floats(shape, NULL, 9);
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_UNSUPPORTED);
  managed = of_floats(shape, NULL, 2);
  managed.version.major = 2;
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_UNSUPPORTED);
  managed = of_floats(shape, NULL, 2);
  managed.dl_tensor.byte_offset = 1; /* not aligned */
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_INVALID_ARGUMENT);
  managed = of_floats(NULL, NULL, 2);
  CHECK(octavo_tensor_from_dlpack(&managed, &tensor) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tensor_from_dlpack(NULL, &tensor) == OCTAVO_INVALID_ARGUMENT);
  CHECK(tensor == NULL && deleted == 2);
}

static void test_export(void) {
  const int64_t dims[2] = {2, 3};
  int64_t shape[1] = {8};
  octavo_tensor *tensor = NULL, *borrowed = NULL;
  struct DLManagedTensor* old = NULL;
  struct DLManagedTensorVersioned *versioned = NULL, read_only;
  void* data = NULL;
  CHECK(octavo_tensor_create(OCTAVO_BF16, dims, 2, &tensor) == OCTAVO_OK);
  CHECK(octavo_tensor_data(tensor, &data, NULL) == OCTAVO_OK);
  CHECK(octavo_tensor_to_dlpack_unversioned(tensor, &old) == OCTAVO_OK);
  CHECK(octavo_tensor_to_dlpack(tensor, &versioned) == OCTAVO_OK);
  octavo_tensor_release(tensor); /* the memory lives on */
  CHECK(old->dl_tensor.data == data && versioned->dl_tensor.data == data);
  CHECK(versioned->version.major == 1 && versioned->flags == 0);
  CHECK(old->dl_tensor.ndim == 2 && old->dl_tensor.shape[0] == 2 && old->dl_tensor.shape[1] == 3);
  CHECK(old->dl_tensor.strides[0] == 3 && old->dl_tensor.strides[1] == 1 && old->dl_tensor.byte_offset == 0);
  CHECK(old->dl_tensor.dtype.code == 4 && old->dl_tensor.dtype.bits == 16 && old->dl_tensor.dtype.lanes == 1);
  CHECK(old->dl_tensor.device.device_type == 1);
  ((uint16_t*)data)[5] = 0x3F80;
  old->deleter(old);
  CHECK(((uint16_t*)versioned->dl_tensor.data)[5] == 0x3F80);
  versioned->deleter(versioned);

  read_only = of_floats(shape, NULL, 1);
  read_only.flags = 1;
  CHECK(octavo_tensor_from_dlpack(&read_only, &borrowed) == OCTAVO_OK);
  old = NULL;
  CHECK(octavo_tensor_to_dlpack_unversioned(borrowed, &old) == OCTAVO_UNSUPPORTED && old == NULL);
  CHECK(octavo_tensor_to_dlpack(borrowed, &versioned) == OCTAVO_OK && versioned->flags == 1);
  versioned->deleter(versioned);
  octavo_tensor_release(borrowed);
  CHECK(deleted == 3);
}

static void test_unversioned(void) {
  int64_t shape[1] = {4};
  struct DLManagedTensorVersioned like = of_floats(shape, NULL, 1);
  struct DLManagedTensor managed;
  octavo_tensor* tensor = NULL;
  void* data = NULL;
  size_t bytes = 0;
  memset(&managed, 0, sizeof managed);
  managed.dl_tensor = like.dl_tensor;
  managed.deleter = count_old;
  CHECK(octavo_tensor_from_dlpack_unversioned(&managed, &tensor) == OCTAVO_OK);
  CHECK(octavo_tensor_data(tensor, &data, &bytes) == OCTAVO_OK && data == values && bytes == 16);
  octavo_tensor_release(tensor);
  CHECK(deleted == 4);
  managed.deleter = NULL; /* allowed: nobody to tell */
  CHECK(octavo_tensor_from_dlpack_unversioned(&managed, &tensor) == OCTAVO_OK);
  octavo_tensor_release(tensor);
}

int main(void) {
  test_import();
  test_export();
  test_unversioned();
  if (failures == 0) printf("dlpack: all passed\n");
  return failures;
}
