//! The geometry of `smolnn-core` against brute force.

use smolnn_core::{Conv2dShape, DenseShape, Image, ShapeError, Window, Window2d, WindowSize, same_padding};

/// Every small window.
fn windows() -> impl Iterator<Item = Window> {
    (1..9).flat_map(|input| {
        (1..6).flat_map(move |kernel| {
            (1..5).flat_map(move |stride| {
                (1..4).flat_map(move |dilation| {
                    (0..6).flat_map(move |before| {
                        (0..6).filter_map(move |after| Window::new(input, kernel, stride, dilation, before, after).ok())
                    })
                })
            })
        })
    })
}

#[test]
fn taps_are_those_that_see_input() {
    let mut cases = 0;
    for window in windows() {
        for output in 0..window.output() {
            let seen: Vec<usize> = (0..window.kernel())
                .filter(|tap| {
                    let position = output * window.stride() + tap * window.dilation();
                    (window.before()..window.before() + window.input()).contains(&position)
                })
                .collect();
            let (first, last) = window.taps(output);
            assert_eq!((first..last).collect::<Vec<_>>(), seen, "{window:?} output {output}");
            for tap in seen {
                let position = output * window.stride() + tap * window.dilation() - window.before();
                assert_eq!(window.position(output, tap), position);
                assert!(window.first_needed(output) <= position);
            }
            cases += 1;
        }
        let touched: usize =
            (0..window.output()).map(|output| window.taps(output)).map(|(first, last)| last - first).sum();
        assert_eq!(window.touched_taps(), touched as u64);
        assert_eq!(window.is_unpadded(), touched == window.output() * window.kernel(), "{window:?}");
    }
    assert!(cases > 10_000, "only {cases} cases");
}

#[test]
fn same_padding_keeps_the_length_and_pads_behind() {
    // (kernel, dilation) → (before, after) at stride 1.
    for (kernel, dilation, expected) in [
        (3, 1, (1, 1)),
        (3, 2, (2, 2)),
        (5, 3, (6, 6)),
        (2, 2, (1, 1)),
        (1, 7, (0, 0)),
        (2, 1, (0, 1)),
        (4, 3, (4, 5)),
        (4, 1, (1, 2)),
    ] {
        assert_eq!(same_padding(20, kernel, dilation, 1), expected);
        assert_eq!(Window::same(20, kernel, 1, dilation).unwrap().output(), 20);
    }
    for input in 1..30_usize {
        for stride in 1..5 {
            for kernel in 1..6 {
                assert_eq!(Window::same(input, kernel, stride, 1).unwrap().output(), input.div_ceil(stride));
            }
        }
    }
    // An even size with stride 2 pads behind alone.
    assert_eq!(same_padding(96, 3, 1, 2), (0, 1));
}

/// Runs a window row by row with the output `gap` before the input in one buffer, and says whether every row found its
/// input intact.
fn survives(shape: &Conv2dShape, gap: usize) -> bool {
    let mut overwritten = vec![false; (gap + shape.input_len()).max(shape.output_len())];
    for image in 0..shape.batch() {
        for row in 0..shape.output().height {
            let start = (image * shape.output().height + row) * shape.output().row();
            // A kernel may write any part of the row before it has read all of the row's input.
            overwritten[start..start + shape.output().row()].fill(true);
            let (first, last) = shape.rows().taps(row);
            for tap in first..last {
                let y = image * shape.input().height + shape.rows().position(row, tap);
                let start = gap + y * shape.input().row();
                if overwritten[start..start + shape.input().row()].iter().any(|&gone| gone) {
                    return false;
                }
            }
        }
    }
    true
}

#[test]
fn overlap_gap_is_legal_and_no_larger_than_needed() {
    let (mut cases, mut exact) = (0, 0);
    for (height, stride, kernel, channels, filters, batch) in [
        (8, 1, 3, 4, 4, 1),
        (8, 2, 3, 4, 4, 1),
        (7, 1, 1, 2, 6, 1),
        (7, 1, 1, 6, 2, 2),
        (9, 3, 2, 1, 5, 2),
        (5, 2, 5, 3, 1, 3),
    ] {
        for same in [false, true] {
            let window = Window2d::over(Image::hwc(height, 6, channels), WindowSize::hw(kernel, kernel));
            let window = window.stride(stride, stride).batch(batch);
            let shape = if same { window.same().conv(filters) } else { window.conv(filters) };
            let Ok(shape) = shape else { continue };
            let gap = shape.overlap_gap();
            assert!(survives(&shape, gap), "{shape:?} at {gap}");
            exact += usize::from(gap == 0 || !survives(&shape, gap - 1));
            cases += 1;
        }
    }
    assert_eq!(cases, 12);
    assert_eq!(exact, cases, "the gap is exact in {exact} of {cases} cases");
}

#[test]
fn wrong_shapes_are_refused() {
    let over = |kernel| Window2d::over(Image::hwc(4, 4, 2), kernel);
    assert_eq!(over(WindowSize::hw(5, 1)).conv(1), Err(ShapeError::KernelTooLarge { kernel: 5, input: 4 }));
    assert_eq!(over(WindowSize::hw(0, 1)).conv(1), Err(ShapeError::Zero("the kernel")));
    assert_eq!(over(WindowSize::hw(1, 1)).stride(0, 1).conv(1), Err(ShapeError::Zero("the stride")));
    assert_eq!(over(WindowSize::hw(1, 1)).conv(0), Err(ShapeError::Zero("a dimension of the image")));
    assert_eq!(over(WindowSize::hw(1, 1)).depthwise(usize::MAX), Err(ShapeError::TooLarge));
    assert_eq!(over(WindowSize::hw(1, 1)).batch(usize::MAX).pool(), Err(ShapeError::TooLarge));
    assert_eq!(Window2d::over(Image::hwc(usize::MAX, 2, 2), WindowSize::hw(1, 1)).pool(), Err(ShapeError::TooLarge));
    assert_eq!(DenseShape::new(1, 1 << 24, 1 << 24), Err(ShapeError::TooLarge));
    assert_eq!(DenseShape::new(0, 1, 1), Err(ShapeError::Zero("a dimension of the dense layer")));
    assert_eq!(Window::same(usize::MAX, 3, 1, 1), Err(ShapeError::TooLarge));
    assert_eq!(Window::new(4, 3, 1, usize::MAX, 0, 0), Err(ShapeError::TooLarge));
}

#[test]
fn full_causal_and_grouped_windows() {
    let over = |length| Window2d::over(Image::sequence(length, 6), WindowSize::taps(3)).dilation(1, 2);
    assert_eq!(over(9).full().conv(4).unwrap().output(), Image::sequence(13, 4));
    let causal = over(9).causal().conv(4).unwrap();
    assert_eq!((causal.output(), causal.columns().before()), (Image::sequence(9, 4), 4));
    let grouped = over(9).groups(2).conv(4).unwrap();
    assert_eq!((grouped.depth(), grouped.weights(), grouped.group_inputs(), grouped.group_outputs()), (9, 36, 3, 2));
    assert!(matches!(over(9).groups(4).conv(4), Err(ShapeError::Range(_))));
    assert!(matches!(over(9).groups(3).conv(4), Err(ShapeError::Range(_))));
    assert_eq!(over(9).groups(0).conv(4), Err(ShapeError::Zero("the groups")));
    assert_eq!(
        Window2d::over(Image::hwc(3, 3, 1), WindowSize::hw(0, 1)).full().conv(1),
        Err(ShapeError::Zero("the kernel"))
    );
}
