//! What the host and the boards compare with: the tolerance of floats, and the features of the front end.

use smolnn_testkit::model::{float_difference, floats};
use smolnn_testkit::signal::{EXPECTED, FRAMES, checksum};

fn compare<const N: usize>(recorded: [f32; N], found: [f32; N]) -> Option<usize> {
    let (recorded, found) = (recorded.map(f32::to_le_bytes), found.map(f32::to_le_bytes));
    let difference = float_difference(floats(recorded.as_flattened()), floats(found.as_flattened()));
    difference.map(|(index, ..)| index)
}

#[test]
fn the_tolerance_is_that_of_the_largest_finite_element() {
    assert_eq!(compare([1.0, -4.0], [1.000_03, -4.0]), None);
    assert_eq!(compare([1.0, -4.0], [1.000_05, -4.0]), Some(0));
    assert_eq!(compare([1.0, -4.0], [1.0, 4.0]), Some(1));
    assert_eq!(compare([f32::INFINITY, 1.0], [f32::INFINITY, 1.1]), Some(1));
    assert_eq!(compare([f32::INFINITY], [f32::MAX]), Some(0));
    assert_eq!(compare([0.0], [f32::MIN_POSITIVE]), Some(0));
    assert_eq!(compare([0.0, f32::NAN], [-0.0, f32::NAN]), None);
    assert_eq!(compare([1.0], [f32::NAN]), Some(0));
    assert_eq!(compare([f32::NAN], [1.0]), Some(0));
}

#[test]
fn the_features_are_those_of_the_recorded_front_end() {
    assert_eq!(checksum(), (EXPECTED, FRAMES));
}
