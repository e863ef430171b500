//! Loops over slices; the shorter of the two sets the length.

/// Applies `near` from the start on, and returns how many elements it took: all, or up to the first outside its domain.
/// There is no call in the loop, so that constants stay in registers.
#[inline(never)]
fn run(x: &[f32], y: &mut [f32], near: impl Fn(u32) -> Option<u32>) -> usize {
    let n = x.len().min(y.len());
    for (i, (x, y)) in x.iter().zip(&mut y[..n]).enumerate() {
        match near(x.to_bits()) {
            Some(bits) => *y = f32::from_bits(bits),
            None => return i,
        }
    }
    n
}

/// y = near(x), or far(x) for the rare x outside near's domain; both on the bits.
#[inline(always)]
pub(super) fn near_or_far(
    mut x: &[f32],
    mut y: &mut [f32],
    near: impl Fn(u32) -> Option<u32> + Copy,
    far: impl Fn(u32) -> u32,
) {
    loop {
        let done = run(x, y, near);
        let (Some((&first, rest)), Some((out, room))) =
            (x.get(done..).and_then(<[f32]>::split_first), y.get_mut(done..).and_then(<[f32]>::split_first_mut))
        else {
            return;
        };
        *out = f32::from_bits(far(first.to_bits()));
        (x, y) = (rest, room);
    }
}

/// y = f(x) on the bits. Read as integers, lest LLVM loads into the FPU first.
#[inline(always)]
pub(super) fn each(x: &[f32], y: &mut [f32], f: impl Fn(u32) -> u32) {
    for (y, &x) in y.iter_mut().zip(bytemuck::cast_slice::<f32, u32>(x)) {
        *y = f32::from_bits(f(x));
    }
}
