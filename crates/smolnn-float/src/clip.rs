//! Keeping gradients in bounds: clipping by global norm and by value, and scaling by powers of two.
//!
//! - By global norm: g ← g·min(1, max/‖g‖) over all tensors at once, which keeps the direction.
//! - By value: every component into ±max, which does not.
//! - Scaling: the loss's gradient times 2^shift going in, all gradients times 2^−shift coming out; exact in binary floating
//!   point as long as nothing overflows or becomes subnormal. In narrow formats small gradients survive it, and not otherwise.
//! - Held by: textbook rows 4.9 and 6.3, tests/host/gradient/training.rs.

use crate::parameter::norm;
use crate::{Parameter, Real};

/// Scales all gradients so that their common norm is at most `max`; returns the norm before. Where the norm is infinite
/// or NaN the gradients stay as they are: look at what is returned.
pub fn global_norm<T: Real>(parameters: &mut [Parameter<'_, T>], max: T) -> T {
    let total = norm(parameters.iter().flat_map(|parameter| parameter.gradient.iter().copied()));
    if total > max && total.is_finite() {
        let factor = max / total;
        for g in parameters.iter_mut().flat_map(|parameter| parameter.gradient.iter_mut()) {
            *g *= factor;
        }
    }
    total
}

/// Clamps every component of every gradient into −max..=max. NaN stays.
pub fn value<T: Real>(parameters: &mut [Parameter<'_, T>], max: T) {
    for g in parameters.iter_mut().flat_map(|parameter| parameter.gradient.iter_mut()) {
        if g.abs() > max {
            *g = max.copysign(*g);
        }
    }
}

/// Scales gradients by 2^shift on their way through the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientScaler {
    /// The exponent, −126..=126.
    shift: i32,
}

impl GradientScaler {
    /// Scales by 2^shift; the shift is limited to ±126, where f32 ends.
    pub const fn new(shift: i32) -> Self {
        let shift = if shift > 126 { 126 } else { shift };
        Self { shift: if shift < -126 { -126 } else { shift } }
    }

    /// The exponent.
    pub const fn shift(&self) -> i32 {
        self.shift
    }

    /// Multiplies the gradient of the loss by 2^shift, before the backward pass.
    pub fn scale<T: Real>(&self, d_output: &mut [T]) {
        let factor = power_of_two::<T>(self.shift);
        for g in d_output {
            *g *= factor;
        }
    }

    /// Multiplies all gradients by 2^−shift, after the backward pass. Whether all of them are finite: if not, skip the
    /// step and scale less.
    pub fn unscale<T: Real>(&self, parameters: &mut [Parameter<'_, T>]) -> bool {
        let factor = power_of_two::<T>(-self.shift);
        let mut finite = true;
        for g in parameters.iter_mut().flat_map(|parameter| parameter.gradient.iter_mut()) {
            finite &= g.is_finite();
            *g *= factor;
        }
        finite
    }
}

fn power_of_two<T: Real>(shift: i32) -> T {
    let power = T::TWO.powi(shift.unsigned_abs());
    if shift < 0 { T::ONE / power } else { power }
}
