//! 5.1: wide flipped convolution commutes; cross-correlation does not.

use host_tests::gradient::{between, integers};
use smolnn_core::{Image, ShapeError, Window2d, WindowSize};
use smolnn_float::conv::plane::{Mode, Plane, convolve, cross_correlate};
use smolnn_float::conv::{conv2d, flipped};

use crate::generator;

const X: [i64; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const W: [i64; 4] = [1, 2, 3, 4];

fn x() -> Plane<'static, i64> {
    Plane::new(3, 3, &X).unwrap()
}

fn w() -> Plane<'static, i64> {
    Plane::new(2, 2, &W).unwrap()
}

type Operation = fn(Plane<'_, i64>, Plane<'_, i64>, Mode, &mut [i64]) -> Result<(usize, usize), ShapeError>;

/// The output of one of the two operations.
fn run(operation: Operation, kernel: Plane<'_, i64>, image: Plane<'_, i64>, mode: Mode) -> Vec<i64> {
    let (height, width) = mode.output(image.size(), kernel.size()).unwrap();
    let mut output = vec![0; height * width];
    assert_eq!(operation(kernel, image, mode, &mut output), Ok((height, width)));
    output
}

#[test]
fn row_5_1_figures() {
    assert_eq!(run(convolve, w(), x(), Mode::Full), [1, 4, 7, 6, 7, 23, 33, 24, 19, 53, 63, 42, 21, 52, 59, 36]);
    assert_eq!(
        run(cross_correlate, w(), x(), Mode::Full),
        [4, 11, 18, 9, 18, 37, 47, 21, 36, 67, 77, 33, 14, 23, 26, 9]
    );
    assert_eq!(run(cross_correlate, w(), x(), Mode::Valid), [37, 47, 67, 77]);
    assert_eq!(run(convolve, w(), x(), Mode::Valid), [23, 33, 53, 63]);
    // The layer's kernels agree, on images of one channel.
    let full = Window2d::over(Image::hwc(3, 3, 1), WindowSize::hw(2, 2)).full().conv(1).unwrap();
    let mut y = [0; 16];
    flipped::forward(&full, &W, None, &X, &mut y).unwrap();
    assert_eq!(y.to_vec(), run(convolve, w(), x(), Mode::Full));
    conv2d::forward(&full, &W, None, &X, &mut y).unwrap();
    assert_eq!(y.to_vec(), run(cross_correlate, w(), x(), Mode::Full));
}

fn planes(random: &mut smolnn_float::random::Pcg32, mut check: impl FnMut(Plane<'_, i64>, Plane<'_, i64>)) {
    for _ in 0..300 {
        let [a, b, c, d] = [(); 4].map(|()| between(random, 1, 7));
        let (image, kernel) = (integers(random, a * b), integers(random, c * d));
        check(Plane::new(c, d, &kernel).unwrap(), Plane::new(a, b, &image).unwrap());
    }
}

#[test]
fn row_5_1_wide_convolution_commutes() {
    planes(&mut generator(51), |w, x| {
        assert_eq!(run(convolve, w, x, Mode::Full), run(convolve, x, w, Mode::Full));
    });
}

/// rot180(W) ⋆ X = rot180(X) ⋆ W, and W ⋆ X = rot180(X ⋆ W).
#[test]
fn row_5_1_identities_of_cross_correlation() {
    planes(&mut generator(52), |w, x| {
        assert_eq!(run(cross_correlate, w.rot180(), x, Mode::Full), run(cross_correlate, x.rot180(), w, Mode::Full));
        let mut swapped = run(cross_correlate, x, w, Mode::Full);
        swapped.reverse(); // rot180 of a plane reverses its elements
        assert_eq!(run(cross_correlate, w, x, Mode::Full), swapped);
        assert_eq!(w.rot180().rot180().get(0, 0), w.get(0, 0));
    });
}

/// The wrong variant: W ⋆ X = X ⋆ W.
#[test]
fn row_5_1_wrong_variant_is_rejected() {
    assert_ne!(run(cross_correlate, w(), x(), Mode::Full), run(cross_correlate, x(), w(), Mode::Full));
    let mut differ = 0;
    planes(&mut generator(53), |w, x| {
        differ += u32::from(run(cross_correlate, w, x, Mode::Full) != run(cross_correlate, x, w, Mode::Full));
    });
    assert!(differ > 250, "only {differ} of 300 differ");
}

#[test]
fn row_5_1_modes_and_errors() {
    assert_eq!(run(cross_correlate, w(), x(), Mode::Same).len(), 9);
    assert!(cross_correlate(x(), w(), Mode::Valid, &mut []).is_err(), "the kernel is larger than the image");
    assert!(Plane::new(2, 2, &X).is_err());
    assert!(Plane::<i64>::new(0, 2, &[]).is_err());
}
