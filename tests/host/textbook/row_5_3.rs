//! 5.3: a 1×1 bottleneck saves 3.6 times.

use std::cell::Cell;
use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use smolnn_core::{Conv2dShape, Image, Window2d, WindowSize, shape};
use smolnn_float::{Number, conv::conv2d};

thread_local!(static PRODUCTS: Cell<usize> = const { Cell::new(0) });

/// A number that counts its products: the kernels are generic, so they can be watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Watched(i64);

impl Mul for Watched {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        PRODUCTS.set(PRODUCTS.get() + 1);
        Self(self.0 * other.0)
    }
}
impl Add for Watched {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl Sub for Watched {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl Neg for Watched {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}
impl AddAssign for Watched {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl SubAssign for Watched {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
impl MulAssign for Watched {
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}
impl Number for Watched {}

/// Products of one call.
fn counted(shape: &Conv2dShape) -> u64 {
    PRODUCTS.set(0);
    let zeros = |length| vec![Watched(1); length];
    conv2d::forward(shape, &zeros(shape.weights()), None, &zeros(shape.input_len()), &mut zeros(shape.output_len()))
        .unwrap();
    PRODUCTS.get() as u64
}

/// 3×3 of C channels, and the same through a bottleneck of B: 1×1 to B, 3×3 from B.
const fn pair(side: usize, channels: usize, narrow: usize) -> [Conv2dShape; 3] {
    let (wide, small) = (Image::hwc(side, side, channels), Image::hwc(side, side, narrow));
    match (
        Window2d::over(wide, WindowSize::hw(3, 3)).same().conv(channels),
        Window2d::over(wide, WindowSize::hw(1, 1)).conv(narrow),
        Window2d::over(small, WindowSize::hw(3, 3)).same().conv(channels),
    ) {
        (Ok(direct), Ok(squeeze), Ok(expand)) => [direct, squeeze, expand],
        _ => panic!("the shapes are right"),
    }
}

#[test]
fn row_5_3_figures() {
    const LAYERS: [Conv2dShape; 3] = pair(100, 256, 64);
    let [direct, squeeze, expand] = LAYERS.map(|layer| layer.cost());
    assert_eq!(direct.macs, 5_898_240_000);
    assert_eq!((squeeze.macs, expand.macs), (163_840_000, 1_474_560_000));
    assert_eq!(squeeze.macs + expand.macs, 1_638_400_000);
    assert_eq!(direct.macs * 10, (squeeze.macs + expand.macs) * 36);
    assert_eq!((direct.weights, squeeze.weights + expand.weights), (589_824, 163_840));
    assert_eq!((direct.bias, squeeze.bias + expand.bias), (256, 320));
    assert_eq!((2 * direct.macs, 2 * (squeeze.macs + expand.macs)), (11_796_480_000, 3_276_800_000));
    // Feature maps, int8: input and output at once, against the larger of the two steps.
    assert_eq!(direct.input + direct.output, 5_120_000);
    assert_eq!((squeeze.input + squeeze.output).max(expand.input + expand.output), 3_200_000);
    assert_eq!((direct.backward_macs, direct.first().backward_macs), (2 * direct.macs, direct.macs));
    // Padding: taps of one pair of channels that see input.
    let touched = LAYERS[0].rows().touched_taps() * LAYERS[0].columns().touched_taps();
    assert_eq!((touched, 9 * 100 * 100), (88_804, 90_000));
}

/// 10×10×16 with a bottleneck of 4: the kernel's products are those of the formula.
#[test]
fn row_5_3_the_kernel_counts_what_the_formula_says() {
    let [direct, squeeze, expand] = pair(10, 16, 4);
    assert_eq!(direct.cost().macs, 230_400);
    assert_eq!(squeeze.cost().macs + expand.cost().macs, 64_000);
    assert_eq!((direct.weights(), squeeze.weights() + expand.weights()), (2_304, 640));
    for layer in [direct, squeeze, expand] {
        assert_eq!(counted(&layer), layer.touched_macs(), "{layer:?}");
    }
    assert_eq!(squeeze.touched_macs(), squeeze.macs(), "1×1 wastes nothing on padding");
    assert!(direct.touched_macs() < direct.macs());
    const STRIDED: Conv2dShape = shape!(
        Window2d::over(Image::hwc(9, 7, 6), WindowSize::hw(3, 2)).stride(2, 3).dilation(2, 1).full().groups(2).conv(4)
    );
    assert_eq!(counted(&STRIDED), STRIDED.touched_macs());
}

/// Break-even is B = 0.9·C.
#[test]
fn row_5_3_break_even() {
    let macs = |narrow| {
        let [direct, squeeze, expand] = pair(4, 20, narrow);
        (direct.macs(), squeeze.macs() + expand.macs())
    };
    let (direct, bottleneck) = macs(18);
    assert_eq!(direct, bottleneck);
    assert!(macs(17).0 > macs(17).1 && macs(19).0 < macs(19).1);
}
