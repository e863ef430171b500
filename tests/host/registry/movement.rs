//! Copies through strides against a naive loop, and their refusal to lead out of a tensor.

use smolnn_fixed::movement::{RANK, StridedCopy, Walk, copy};
use smolnn_testkit::Random;

/// Strides and start that stay within `length` elements, and the length they need at least.
fn walk(random: &mut Random, lengths: &[usize; RANK], dense: bool) -> Walk {
    let mut strides = [0; RANK];
    let mut step = 1;
    for axis in (0..RANK).rev() {
        // The output visits every position once; the input may repeat, skip and reverse.
        strides[axis] = if dense { step } else { random.between(-3, 40) as isize };
        step *= lengths[axis] as isize;
    }
    let (mut least, mut most) = (0, 0);
    for axis in 0..RANK {
        let span = (lengths[axis] as isize - 1) * strides[axis];
        if span < 0 { least += span } else { most += span }
    }
    let start = (-least) as usize + random.length(0, 3);
    Walk { length: start + most as usize + 1 + random.length(0, 5), start, strides }
}

#[test]
fn a_copy_is_the_naive_loop() {
    let mut random = Random::new(41);
    let mut elements = 0;
    for case in 0..500 {
        let lengths: [usize; RANK] = std::array::from_fn(|_| random.length(1, 4));
        let (from, to) = (walk(&mut random, &lengths, case % 5 == 0), walk(&mut random, &lengths, true));
        let input: Vec<i16> = (0..from.length).map(|_| random.int16()).collect();
        let mut found = vec![-1; to.length];
        let mut expected = found.clone();
        let layer = StridedCopy::new(lengths, from, to).expect("the walks stay inside");
        copy(&layer, &input, &mut found).expect("the lengths are right");
        for number in 0..lengths.iter().product() {
            let mut rest: usize = number;
            let (mut p, mut q) = (from.start as isize, to.start as isize);
            for axis in (0..RANK).rev() {
                let index = (rest % lengths[axis]) as isize;
                rest /= lengths[axis];
                p += index * from.strides[axis];
                q += index * to.strides[axis];
            }
            expected[q as usize] = input[p as usize];
            elements += 1;
        }
        assert_eq!(found, expected, "case {case}: {layer:?}");
        assert!(copy(&layer, &input[1..], &mut found).is_err() && copy(&layer, &input, &mut found[1..]).is_err());
    }
    assert!(elements > 10_000, "{elements}");
}

#[test]
fn a_copy_that_leads_out_is_refused() {
    let walk = |length, start, stride| Walk { length, start, strides: [0, 0, 0, 0, 0, stride] };
    let lengths = [1, 1, 1, 1, 1, 4];
    assert!(StridedCopy::new(lengths, walk(4, 0, 1), walk(4, 0, 1)).is_ok());
    assert!(StridedCopy::new(lengths, walk(4, 3, -1), walk(4, 0, 1)).is_ok());
    for wrong in [walk(4, 1, 1), walk(4, 2, -1), walk(4, 0, isize::MAX), walk(4, 0, isize::MIN), walk(usize::MAX, 0, 1)]
    {
        assert!(StridedCopy::new(lengths, wrong, walk(4, 0, 1)).is_err(), "{wrong:?}");
        assert!(StridedCopy::new(lengths, walk(4, 0, 1), wrong).is_err(), "{wrong:?}");
    }
    assert!(StridedCopy::new([1, 1, 1, 1, 0, 4], walk(4, 0, 1), walk(4, 0, 1)).is_err());
}
