//! Layers made of what does not belong together: constructors refuse it, or the layer stays within its memory. Miri runs these
//! too, with the bodies of the scalar cores (a step of `cargo xtask test`).

use smolnn_core::{Conv2dShape, DenseShape, DepthwiseConv2dShape, Image, ShapeError, Window2d, WindowSize};
use smolnn_fixed::conv::{Conv2d, DepthwiseConv2d};
use smolnn_fixed::dense::DenseToInt16;
use smolnn_fixed::pack::{self, Layout};
use smolnn_fixed::quantise::{Multiplier, OutputRange};
use smolnn_fixed::{Backend, Channel, Weights};
use smolnn_testkit::cases::hostile::attempts;

/// Miri takes about a second for each.
const SEEDS: u64 = if cfg!(miri) { 30 } else { 200_000 };

#[test]
fn random_attempts_are_refused_or_stay_within_their_memory() {
    let attempts = attempts(&mut vec![0; 4096], SEEDS);
    println!("{attempts:?}");
    assert!(attempts.passed(), "{attempts:?}");
    assert!(u64::from(attempts.run.min(attempts.refused)) > SEEDS / 16, "{attempts:?}");
}

const OUTPUT: OutputRange = OutputRange::int8(0);

/// Layout and words that packing gives the shape.
fn packed(backend: Backend, shape: &DepthwiseConv2dShape) -> (Layout, usize) {
    let values = vec![1; shape.weights()];
    let multipliers = [Multiplier::from_f64(0.01)];
    let weights = Weights { values: &values, bias: &[], multipliers: &multipliers, input_zero_point: 0 };
    let mut words = vec![0; pack::depthwise_conv2d_words(backend, shape)];
    let mut channels = vec![Channel::default(); shape.output().channels];
    let packed = pack::depthwise_conv2d(backend, shape, &weights, &OUTPUT, &mut words, &mut channels).unwrap();
    (packed.layout, packed.words)
}

/// A 4×4×2 depthwise convolution: the DSP layout of 3×3 kernels, 36 words for every four channels, does not fit two of them,
/// and its body would read far beyond the tensors.
#[test]
fn a_layout_serves_the_shapes_that_packing_gives_it_to() {
    let shape = Window2d::over(Image::hwc(4, 4, 2), WindowSize::hw(3, 3)).same().depthwise(1).unwrap();
    let channels = [Channel::default(); 2];
    let fits = [Backend::Portable, Backend::CURRENT].map(|backend| packed(backend, &shape));
    for layout in Layout::ALL {
        for words in 0..100 {
            let zeros = [0; 100];
            let made = DepthwiseConv2d::new(shape, &zeros[..words], &channels, layout, OUTPUT, 0).is_ok();
            // Winograd's products are those of convolutions that sum over channels.
            let winograd = [Layout::DspWinograd, Layout::V7mWinograd, Layout::V6mWinograd, Layout::Rv32Winograd];
            let is_of_another = winograd.contains(&layout);
            let fits = !is_of_another && fits.iter().any(|fit| fit.0.backend() == layout.backend() && fit.1 == words);
            assert_eq!(made, fits, "{layout:?}, {words} words");
        }
    }
}

#[test]
fn a_layout_of_another_operator_is_refused() {
    let vector = DenseShape::new(1, 16, 8).unwrap();
    let (words, channels) = ([0; 128], [Channel::default(); 8]);
    for layout in Layout::ALL.into_iter().filter(|&layout| layout != Layout::Portable) {
        for words in (0..words.len()).map(|length| &words[..length]) {
            let made = DenseToInt16::new(vector, words, &channels, layout).is_ok();
            // The layouts of scalar cores serve all operators but for Winograd's products.
            let serves = match layout.backend() {
                Backend::V7m | Backend::V6m | Backend::Rv32 => {
                    !matches!(layout, Layout::V7mWinograd | Layout::V6mWinograd | Layout::Rv32Winograd)
                }
                _ => matches!(layout, Layout::DspToInt16 | Layout::HeliumToInt16),
            };
            assert!(!made || serves, "{layout:?}");
        }
    }
}

#[test]
fn products_of_dimensions_do_not_wrap() {
    let image = Image::hwc(4, 4, 1);
    let window = Window2d::over(image, WindowSize::hw(3, 3)).batch(1 << 30);
    assert_eq!(window.conv(1), Err(ShapeError::TooLarge));
    assert_eq!(window.depthwise(1), Err(ShapeError::TooLarge));
    assert_eq!(window.pool(), Err(ShapeError::TooLarge));
    // Kernels of 2^32 taps and more, which is 0 and more where a word has 32 bits.
    let padded = |rows, columns| {
        let side = 1 << 17;
        Window2d::over(image, WindowSize::hw(rows, columns)).padding(side, side, side, side).stride(1 << 20, 1 << 20)
    };
    assert_eq!(padded(1 << 16, 1 << 16).conv(1), Err(ShapeError::TooLarge));
    assert_eq!(padded((1 << 16) + 1, 1 << 16).depthwise(1), Err(ShapeError::TooLarge));
    assert_eq!(padded(1 << 16, 1 << 16).pool(), Err(ShapeError::TooLarge));
    assert_eq!(DenseShape::new(1 << 20, 1 << 12, 1), Err(ShapeError::TooLarge));
    assert_eq!(DenseShape::new(1, 1 << 20, 1 << 12), Err(ShapeError::TooLarge));
    // Products that are not lengths have 64 bits.
    let shape: Conv2dShape = Window2d::over(Image::hwc(256, 256, 64), WindowSize::hw(3, 3)).same().conv(256).unwrap();
    assert_eq!(shape.macs(), 256 * 256 * 256 * 9 * 64);
    assert!(shape.macs() > u64::from(u32::MAX) && shape.touched_macs() > u64::from(u32::MAX));
    assert_eq!(shape.cost().backward_macs, 2 * shape.macs());
}

/// Words that a target of 32 bits would count modulo 2^32.
#[test]
fn words_that_no_memory_holds_are_refused() {
    // One row of 2^31 − 1 weights, of which v6-M makes eight.
    let wide = Window2d::over(Image::hwc(1, 1, (1 << 31) - 1), WindowSize::hw(1, 1)).conv(1).unwrap();
    for layout in Layout::ALL {
        let error = Conv2d::new(wide, &[], &[Channel::default()], layout, OUTPUT, 0).unwrap_err();
        assert!(!matches!(error, ShapeError::Length { expected: 0, .. }), "{layout:?}: {error}");
    }
}

#[test]
fn zero_points_and_ranges_outside_of_int8_are_refused() {
    let shape = Window2d::over(Image::hwc(2, 2, 1), WindowSize::hw(1, 1)).conv(1).unwrap();
    let new = |output: OutputRange, zero_point: i32| {
        Conv2d::new(shape, &[0], &[Channel::default()], Layout::Portable, output, zero_point).map(|_| ())
    };
    assert_eq!(new(OUTPUT, 0), Ok(()));
    for value in [-129, 128, i32::MIN, i32::MAX] {
        for (output, zero_point) in [
            (OutputRange { zero_point: value, ..OUTPUT }, 0),
            (OutputRange { minimum: value, ..OUTPUT }, 0),
            (OutputRange { maximum: value, ..OUTPUT }, 0),
            (OUTPUT, value),
        ] {
            assert!(matches!(new(output, zero_point), Err(ShapeError::Range(_))), "{output:?} {zero_point}");
        }
    }
}

/// Any multiplier gives a number and no panic; packing takes those alone that a factor gives.
#[test]
fn multipliers_of_any_mantissa_and_shift() {
    let numbers = [i32::MIN, i32::MIN + 1, -33, -32, -31, -1, 0, 1, 30, 31, 32, 63, 64, 1 << 30, i32::MAX];
    for mantissa in numbers {
        for shift in numbers {
            let multiplier = Multiplier { mantissa, shift };
            for value in numbers {
                multiplier.apply(value);
                multiplier.apply_i64(i64::from(value) << 32);
            }
            multiplier.to_f64();
            let is_right = (mantissa == 0 || mantissa >= 1 << 30) && (-31..=30).contains(&shift);
            assert_eq!(multiplier.check().is_ok(), is_right);
            let weights = Weights { values: &[1], bias: &[], multipliers: &[multiplier], input_zero_point: 0 };
            let mut channels = [Channel::default()];
            for backend in Backend::ALL {
                let shape = DenseShape::new(1, 1, 1).unwrap();
                let mut words = vec![0; pack::dense_words(backend, &shape)];
                let packed = pack::dense(backend, &shape, &weights, &OUTPUT, &mut words, &mut channels);
                assert_eq!(packed.is_ok(), is_right, "{multiplier:?}");
            }
        }
    }
}
