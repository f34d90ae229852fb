use crate::error::{check, Error, ErrorKind, Result};
use crate::handle::Handle;
use crate::sys;
use std::mem::size_of;
use std::ptr::{null, null_mut};

/// An element type that a tensor may have.
pub trait Element: Copy + private::Sealed {
    #[doc(hidden)]
    const DTYPE: i32;
}
mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for i8 {}
}
impl Element for f32 {
    const DTYPE: i32 = 0;
}
impl Element for i8 {
    const DTYPE: i32 = 3;
}

/// A row-major tensor that owns its memory.
pub struct Tensor(Handle<sys::Tensor>);
// SAFETY: distinct tensors are independent; one may be read from many threads, and is written through &mut alone.
unsafe impl Send for Handle<sys::Tensor> {}
unsafe impl Sync for Handle<sys::Tensor> {}

impl Tensor {
    /// A copy of `values`, outermost dimension first.
    pub fn new<T: Element>(values: &[T], dims: &[i64]) -> Result<Self> {
        let create = |out| unsafe { sys::octavo_tensor_create(T::DTYPE, dims.as_ptr(), dims.len(), out) };
        let mut tensor = Self(Handle::create(sys::octavo_tensor_release, create)?);
        let room = tensor.values_mut::<T>()?;
        if room.len() != values.len() {
            let message = format!("{} values for a tensor of {:?}, which holds {}", values.len(), dims, room.len());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        room.copy_from_slice(values);
        Ok(tensor)
    }
    /// Its dimensions, outermost first.
    pub fn dims(&self) -> Result<Vec<i64>> {
        let mut rank = 0;
        check(unsafe { sys::octavo_tensor_rank(self.as_ptr(), &mut rank) })?;
        (0..rank)
            .map(|index| {
                let mut dim = 0;
                check(unsafe { sys::octavo_tensor_dim(self.as_ptr(), index, &mut dim) }).map(|()| dim)
            })
            .collect()
    }
    /// Its elements, row by row. Fails for another element type.
    pub fn values<T: Element>(&self) -> Result<&[T]> {
        let (data, count) = self.data::<T>()?;
        // SAFETY: the memory holds `count` elements of T, aligned, and lives as long as the handle.
        Ok(if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, count) } })
    }
    /// The same, to be written.
    pub fn values_mut<T: Element>(&mut self) -> Result<&mut [T]> {
        let (data, count) = self.data::<T>()?;
        // SAFETY: as above; &mut self makes it the only way to the memory, which this crate never shares.
        Ok(if count == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(data, count) } })
    }
    fn data<T: Element>(&self) -> Result<(*mut T, usize)> {
        let (mut dtype, mut data, mut bytes) = (0, null_mut(), 0);
        check(unsafe { sys::octavo_tensor_dtype(self.as_ptr(), &mut dtype) })?;
        if dtype != T::DTYPE {
            return Err(Error::new(ErrorKind::DtypeMismatch, "the tensor has another element type"));
        }
        check(unsafe { sys::octavo_tensor_data(self.as_ptr(), &mut data, &mut bytes) })?;
        Ok((data.cast(), bytes / size_of::<T>()))
    }
    fn as_ptr(&self) -> *mut sys::Tensor {
        self.0.as_ptr()
    }
    fn owning(raw: *mut sys::Tensor) -> Self {
        Self(Handle::owning(raw, sys::octavo_tensor_release))
    }
}

/// H = 2/n sum x^T x over the rows that were added: what GPTQ knows of a layer's inputs.
pub struct Hessian(Handle<sys::Hessian>);
// SAFETY: one thread at a time, which &mut sees to.
unsafe impl Send for Handle<sys::Hessian> {}

/// A layer in int8.
pub struct QuantizedLayer {
    /// i8 \[N, K\].
    pub weight: Tensor,
    /// f32 \[N\].
    pub scales: Tensor,
    /// tr((W-Q) H (W-Q)^T).
    pub loss: f64,
    /// The same for round-to-nearest.
    pub rtn_loss: f64,
}

impl Hessian {
    /// Of inputs with so many columns.
    pub fn new(in_features: i64) -> Result<Self> {
        let create = |out| unsafe { sys::octavo_hessian_create(in_features, out) };
        Handle::create(sys::octavo_hessian_release, create).map(Self)
    }
    /// x \[T, K\] f32.
    pub fn add(&mut self, x: &Tensor) -> Result<()> {
        check(unsafe { sys::octavo_hessian_add(self.0.as_ptr(), x.as_ptr()) })
    }
    /// weight \[N, K\] f32 by GPTQ. The Hessian takes no more rows then, and may serve other weights.
    pub fn quantize(&mut self, weight: &Tensor) -> Result<QuantizedLayer> {
        let (mut quantized, mut scales) = (null_mut(), null_mut());
        let mut result = sys::GptqResult {
            struct_size: size_of::<sys::GptqResult>(),
            loss: 0.0,
            rtn_loss: 0.0,
            damp_used: 0.0,
            dead_columns: 0,
        };
        check(unsafe {
            sys::octavo_gptq_quantize_layer(
                weight.as_ptr(),
                self.0.as_ptr(),
                null(),
                &mut quantized,
                &mut scales,
                &mut result,
            )
        })?;
        let (weight, scales) = (Tensor::owning(quantized), Tensor::owning(scales));
        Ok(QuantizedLayer { weight, scales, loss: result.loss, rtn_loss: result.rtn_loss })
    }
}

/// y = x W^T + b over int8 weights and activations.
pub struct Linear(Handle<sys::Linear>);
// SAFETY: an octavo_linear is immutable, and may be shared by threads.
unsafe impl Send for Handle<sys::Linear> {}
unsafe impl Sync for Handle<sys::Linear> {}

impl Linear {
    /// weight i8 \[N, K\], scales f32 \[N\], bias f32 \[N\].
    pub fn new(weight: &Tensor, scales: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let bias = bias.map_or(null_mut(), Tensor::as_ptr);
        let create = |out| unsafe { sys::octavo_linear_w8a8_create(weight.as_ptr(), scales.as_ptr(), bias, out) };
        Handle::create(sys::octavo_linear_release, create).map(Self)
    }
    /// x f32 \[M, K\] gives y f32 \[M, N\].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = null_mut();
        check(unsafe { sys::octavo_linear_forward(self.0.as_ptr(), x.as_ptr(), &mut y) })?;
        Ok(Tensor::owning(y))
    }
}
