//! Memory as firmware wants it: models in one arena, inputs as slices, outputs as classes and real numbers.

use generated_tests::{
    converter_convolution_1d as one, converter_residual as other, converter_two_inputs_two_outputs as two,
};
use smolnn::{Arena, Argmax, ShapeError, largest_arena};

const WORDS: usize = largest_arena(&[one::ARENA_WORDS, other::ARENA_WORDS]);

/// Values of an input that are all different from each other's neighbours.
fn values<const N: usize>(seed: usize) -> [i8; N] {
    std::array::from_fn(|index| ((index + seed) * 37 % 251) as u8 as i8)
}

#[test]
fn models_take_turns_in_one_arena() {
    let mut arena = Arena::<WORDS>::new();
    assert_eq!(size_of_val(&arena).div_ceil(16), (one::ARENA_BYTES.max(other::ARENA_BYTES)).div_ceil(16));
    let (mut own_one, mut own_other) = (one::Model::new(), other::Model::new());
    for seed in 0..20 {
        let (input, other_input) = (values(seed), values(seed + 5));
        assert_eq!(one::Model::in_arena(&mut arena).infer(&input), own_one.infer(&input));
        assert_eq!(other::Model::in_arena(&mut arena).infer(&other_input), own_other.infer(&other_input));
    }
}

#[test]
fn slices_are_inputs_when_they_have_the_length() {
    let mut model = one::Model::new();
    let buffer = values::<{ size_of::<one::Input>() }>(3).to_vec();
    let expected = *model.infer(&values(3));
    assert_eq!(model.infer_slice(&buffer), Ok(&expected));
    let wrong = ShapeError::Length { what: "input", expected: buffer.len(), found: buffer.len() - 1 };
    assert_eq!(model.infer_slice(&buffer[1..]), Err(wrong));
    // The second of two inputs is named.
    let mut model = two::Model::new();
    assert!(model.infer_slice(&[1; 5], &[2; 5]).is_ok());
    let wrong = ShapeError::Length { what: "input 1", expected: 5, found: 6 };
    assert_eq!(model.infer_slice(&[1; 5], &[2; 6]).err(), Some(wrong));
}

#[test]
fn outputs_are_classes_and_real_numbers() {
    let mut model = one::Model::new();
    let output = *model.infer(&values(9));
    let best = output.argmax();
    assert!(output.iter().all(|&value| value <= output[best]));
    let real = one::OUTPUT_SCALE * (i32::from(output[best]) - one::OUTPUT_ZERO_POINT) as f32;
    assert_eq!(model.dequantised(best), Some(real));
    assert_eq!(model.dequantised(output.len()), None);
    let mut model = two::Model::new();
    let (_, second) = model.infer(&[1; 5], &[2; 5]);
    let real = two::OUTPUT_1_SCALE * (i32::from(second[0]) - two::OUTPUT_1_ZERO_POINT) as f32;
    assert_eq!(model.dequantised_1(0), Some(real));
}

#[test]
fn real_numbers_become_integers_of_the_input() {
    let real: [f32; size_of::<one::Input>()] = core::array::from_fn(|index| match index {
        0 => f32::INFINITY,
        1 => -f32::INFINITY,
        2 => f32::NAN,
        _ => (index as f32 - 20.0) * one::INPUT_SCALE * 0.75,
    });
    let expected: one::Input = real.map(|real| {
        let steps = (real / one::INPUT_SCALE).round();
        (steps + one::INPUT_ZERO_POINT as f32).clamp(-128.0, 127.0) as i8
    });
    let mut model = one::Model::new();
    model.set_input(&real);
    assert_eq!(model.input_mut()[..2], expected[..2]);
    // What is no number is real 0.
    assert_eq!(i32::from(model.input_mut()[2]), one::INPUT_ZERO_POINT);
    assert_eq!(model.input_mut()[3..], expected[3..]);
    let mut same = one::Model::new();
    let input = *model.input_mut();
    model.run();
    assert_eq!(model.output(), same.infer(&input));
}

#[test]
fn a_run_in_steps_is_a_run() {
    let (mut whole, mut stepped) = (other::Model::new(), other::Model::new());
    let input = values(1);
    *stepped.input_mut() = input;
    for step in 0..other::STEPS {
        stepped.run_step(step);
    }
    let found = *stepped.output();
    assert_eq!(whole.infer(&input), &found);
    // A step that is not there does nothing.
    stepped.run_step(other::STEPS);
    assert_eq!(stepped.output(), &found);
    const { assert!(other::STEPS > 1) };
}
