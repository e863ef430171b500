//! 5.7: "same" padding of a dilated kernel.

use smolnn_core::{Image, Window, Window2d, WindowSize, same_padding};
use smolnn_float::conv::conv2d;

#[test]
fn row_5_7_figures() {
    for ((kernel, dilation), padding) in [
        ((3, 1), (1, 1)),
        ((3, 2), (2, 2)),
        ((5, 3), (6, 6)),
        ((2, 2), (1, 1)),
        ((1, 7), (0, 0)),
        ((2, 1), (0, 1)),
        ((4, 3), (4, 5)),
        ((4, 1), (1, 2)),
    ] {
        for length in 1..30 {
            assert_eq!(same_padding(length, kernel, dilation, 1), padding);
            assert_eq!(Window::same(length, kernel, 1, dilation).unwrap().output(), length);
        }
    }
    const AT_COMPILE_TIME: (usize, usize) = same_padding(10, 4, 3, 1);
    assert_eq!(AT_COMPILE_TIME, (4, 5));
}

#[test]
fn row_5_7_dilated_valid() {
    let shape = Window2d::over(Image::hwc(5, 5, 1), WindowSize::hw(2, 2)).dilation(2, 2).conv(1).unwrap();
    let x: Vec<i64> = (0..25).collect();
    let mut y = [0; 9];
    conv2d::forward(&shape, &[1, 2, 3, 4], None, &x, &mut y).unwrap();
    assert_eq!(y, [82, 92, 102, 132, 142, 152, 182, 192, 202]);
}

/// With a stride, total = max((⌈n/s⌉ − 1)·s + K_eff − n, 0), and ⌈n/s⌉ outputs.
#[test]
fn row_5_7_strides() {
    for n in 1..20_usize {
        for (kernel, dilation, stride) in [(3, 1, 2), (3, 2, 2), (2, 3, 3), (5, 1, 4), (1, 1, 2)] {
            let effective = dilation * (kernel - 1) + 1;
            let total = ((n.div_ceil(stride) - 1) * stride + effective).saturating_sub(n);
            assert_eq!(same_padding(n, kernel, dilation, stride), (total / 2, total - total / 2));
            assert_eq!(Window::same(n, kernel, stride, dilation).unwrap().output(), n.div_ceil(stride));
        }
    }
}

/// The wrong variant, D(K − 1)/2 on both sides, loses an output where D(K − 1) is odd.
#[test]
fn row_5_7_wrong_variant_is_rejected() {
    for (kernel, dilation) in [(2, 1), (4, 3), (4, 1)] {
        let half = dilation * (kernel - 1) / 2;
        assert_ne!(Window::new(10, kernel, 1, dilation, half, half).unwrap().output(), 10);
    }
    for (kernel, dilation) in [(3, 1), (5, 3), (2, 2)] {
        let half = dilation * (kernel - 1) / 2;
        assert_eq!(Window::new(10, kernel, 1, dilation, half, half).unwrap().output(), 10);
    }
}

/// Causal: D(K − 1) before and nothing behind; no output sees what comes after it.
#[test]
fn row_5_7_causal() {
    let shape = Window2d::over(Image::sequence(8, 1), WindowSize::taps(3)).dilation(1, 2).causal().conv(1).unwrap();
    assert_eq!((shape.columns().before(), shape.output().width), (4, 8));
    let run = |x: &[i64]| {
        let mut y = vec![0; 8];
        conv2d::forward(&shape, &[1, 10, 100], None, x, &mut y).unwrap();
        y
    };
    for t in 0..8 {
        let mut impulse = [0; 8];
        impulse[t] = 1;
        let y = run(&impulse);
        assert!(y[..t].iter().all(|&y| y == 0), "an output before its cause");
        assert_eq!(y[t], 100);
    }
}
