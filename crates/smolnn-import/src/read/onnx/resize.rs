//! Resizing of sequences and images: the net's operators where they compute the same, and otherwise one axis after the other.

use super::convolution::{from_image, to_image};
use super::operator::Op;
use crate::error::Problem;
use crate::net::{Activation, Operator, TensorId};

type Outputs = Result<Vec<TensorId>, Problem>;

/// How an axis is resized.
#[derive(Clone, Debug)]
struct Axis {
    axis: usize,
    input: usize,
    output: usize,
    /// Output positions per input position.
    scale: f64,
}

/// Where an output position lies in the input.
fn position(of: &Axis, index: usize, mode: &str) -> Option<f64> {
    let (index, input, output) = (index as f64, of.input as f64, of.output as f64);
    Some(match mode {
        "half_pixel" => (index + 0.5) / of.scale - 0.5,
        "pytorch_half_pixel" => {
            if of.output > 1 {
                (index + 0.5) / of.scale - 0.5
            } else {
                0.0
            }
        }
        "half_pixel_symmetric" => {
            let offset = input / 2.0 * (1.0 - output / (of.scale * input));
            offset + (index + 0.5) / of.scale - 0.5
        }
        "align_corners" => {
            if of.output > 1 {
                index * (input - 1.0) / (output - 1.0)
            } else {
                0.0
            }
        }
        "asymmetric" => index / of.scale,
        "tf_half_pixel_for_nn" => (index + 0.5) / of.scale,
        _ => return None,
    })
}

pub(super) fn resize(op: &mut Op<'_>) -> Outputs {
    // Version 10 has no region of interest among its operands.
    let (scales, sizes) = if op.builder.opset < 11 { (1, usize::MAX) } else { (2, 3) };
    let has =
        |op: &Op<'_>, index: usize| op.optional(index).is_some_and(|id| !op.builder.tensor(id).shape.contains(&0));
    let shape = op.shape(0)?;
    let axes = match op.ints("axes") {
        Some(axes) => op.axes(&axes, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    if op.text("keep_aspect_ratio_policy", "stretch") != "stretch" {
        return Err(op.fault("a policy that keeps the aspect ratio", "stretch"));
    }
    if op.int("antialias", 0) != 0 {
        return Err(op.fault("antialias 1", "antialias 0"));
    }
    let given = if has(op, sizes) {
        Given::Sizes(op.integers(sizes, "sizes")?)
    } else {
        Given::Scales(op.reals(scales, "scales")?)
    };
    let otherwise = if op.builder.opset < 11 { "asymmetric" } else { "half_pixel" };
    let coordinates = op.text("coordinate_transformation_mode", otherwise);
    let rounding = if op.builder.opset < 11 { "floor".into() } else { op.text("nearest_mode", "round_prefer_floor") };
    resized(op, &axes, &given, &coordinates, &rounding)
}

pub(super) fn upsample(op: &mut Op<'_>) -> Outputs {
    let axes: Vec<usize> = (0..op.shape(0)?.len()).collect();
    let scales = match op.attribute("scales") {
        Some(attribute) => attribute.floats.clone(),
        None => op.reals(1, "scales")?,
    };
    resized(op, &axes, &Given::Scales(scales), "asymmetric", "floor")
}

/// What the file says of the output.
enum Given {
    Sizes(Vec<i64>),
    Scales(Vec<f32>),
}

fn resized(op: &mut Op<'_>, axes: &[usize], given: &Given, coordinates: &str, rounding: &str) -> Outputs {
    let (id, shape) = (op.input(0)?, op.shape(0)?);
    let count = match given {
        Given::Sizes(sizes) => sizes.len(),
        Given::Scales(scales) => scales.len(),
    };
    if count != axes.len() {
        return Err(op.fault(format!("{count} sizes or scales for {} axes", axes.len()), "one per axis"));
    }
    let mut changed = Vec::new();
    for (index, &axis) in axes.iter().enumerate() {
        let input = shape[axis];
        let (output, scale) = match given {
            Given::Sizes(sizes) => {
                let output = usize::try_from(sizes[index]).unwrap_or(0);
                (output, output as f64 / input as f64)
            }
            Given::Scales(scales) => ((input as f32 * scales[index]).floor() as usize, f64::from(scales[index])),
        };
        if !((1..=1 << 16).contains(&output) && scale.is_finite() && scale > 0.0) {
            return Err(op.fault(format!("{output} positions along axis {axis}"), "1 to 65536"));
        }
        if output != input || scale != 1.0 {
            changed.push(Axis { axis, input, output, scale });
        }
    }
    if changed.is_empty() {
        return Ok(vec![id]);
    }
    let mode = op.text("mode", "nearest");
    if changed.iter().any(|axis| position(axis, 0, coordinates).is_none()) {
        let supported =
            "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_half_pixel_for_nn";
        return Err(op.fault(format!("the coordinates {coordinates}"), supported));
    }
    match &mode[..] {
        "nearest" => nearest(op, id, &changed, coordinates, rounding),
        "linear" | "bilinear" => linear(op, id, &changed, coordinates),
        "cubic" => weighted(
            op,
            id,
            &changed,
            coordinates,
            &Kernel::Cubic(f64::from(op.float("cubic_coeff_a", -0.75)), op.int("exclude_outside", 0) != 0),
        ),
        other => Err(op.fault(format!("mode {other}"), "nearest, linear, cubic")),
    }
}

/// An image of the net's, resized by an operator of the net's; nothing where axes other than rows and columns change.
fn by_image(op: &mut Op<'_>, id: TensorId, changed: &[Axis], operator: Operator) -> Result<Option<TensorId>, Problem> {
    let rank = op.builder.tensor(id).shape.len();
    if !(3..=4).contains(&rank) || changed.iter().any(|axis| axis.axis < 2) {
        return Ok(None);
    }
    let image = to_image(op, id)?;
    let mut size = op.builder.shape(image)[1..3].to_vec();
    for axis in changed {
        size[axis.axis + 2 - rank] = axis.output;
    }
    let of_image = op.builder.shape(image);
    let (element, stated) = (op.builder.element(id), [of_image[0], size[0], size[1], of_image[3]]);
    let size = op.builder.lengths(&size);
    let result = op.builder.push_stated(operator, &[Some(image), Some(size)], element, &stated)?;
    Ok(Some(from_image(op, result, rank)?))
}

fn nearest(op: &mut Op<'_>, id: TensorId, changed: &[Axis], coordinates: &str, rounding: &str) -> Outputs {
    let round = |value: f64| -> Option<f64> {
        Some(match rounding {
            "floor" => value.floor(),
            "ceil" => value.ceil(),
            "round_prefer_floor" => (value - 0.5).ceil(),
            "round_prefer_ceil" => (value + 0.5).floor(),
            _ => return None,
        })
    };
    let mut tables = Vec::new();
    for axis in changed {
        let at = |index: usize| {
            let position = round(position(axis, index, coordinates)? as f32 as f64)?;
            Some(position.clamp(0.0, axis.input as f64 - 1.0) as usize)
        };
        let table = (0..axis.output).map(at).collect::<Option<Vec<_>>>();
        let table = table.ok_or_else(|| {
            op.fault(format!("the rounding {rounding}"), "floor, ceil, round_prefer_floor, round_prefer_ceil")
        })?;
        tables.push(table);
    }
    // The net's operator takes every pixel so many times, or every so many pixels.
    let whole = changed.iter().zip(&tables).all(|(axis, table)| {
        axis.output.is_multiple_of(axis.input)
            && (0..axis.output).all(|index| table[index] == index / (axis.output / axis.input))
    });
    if whole {
        let operator = Operator::ResizeNearest { align_corners: false, half_pixel_centers: false };
        if let Some(result) = by_image(op, id, changed, operator)? {
            return Ok(vec![result]);
        }
    }
    let mut result = id;
    for (axis, table) in changed.iter().zip(&tables) {
        result = op.builder.pick(result, axis.axis, table)?;
    }
    Ok(vec![result])
}

fn linear(op: &mut Op<'_>, id: TensorId, changed: &[Axis], coordinates: &str) -> Outputs {
    let whole = changed.iter().all(|axis| axis.scale == axis.output as f64 / axis.input as f64);
    let flags = match coordinates {
        "half_pixel" => Some((false, true)),
        "pytorch_half_pixel" if changed.iter().all(|axis| axis.output > 1) => Some((false, true)),
        "align_corners" if changed.iter().all(|axis| axis.output > 1) => Some((true, false)),
        "asymmetric" => Some((false, false)),
        _ => None,
    };
    if let Some((align_corners, half_pixel_centers)) = flags.filter(|_| whole) {
        let operator = Operator::ResizeBilinear { align_corners, half_pixel_centers };
        if let Some(result) = by_image(op, id, changed, operator)? {
            return Ok(vec![result]);
        }
    }
    weighted(op, id, changed, coordinates, &Kernel::Linear)
}

/// The weights of neighbours.
enum Kernel {
    Linear,
    /// The coefficient, and whether positions outside of the input do not count.
    Cubic(f64, bool),
}

/// Along each axis a product with a matrix of the neighbours' weights.
fn weighted(op: &mut Op<'_>, id: TensorId, changed: &[Axis], coordinates: &str, kernel: &Kernel) -> Outputs {
    let mut result = id;
    for axis in changed {
        if axis.input.saturating_mul(axis.output) > 1 << 22 {
            return Err(op.fault(format!("{} to {} positions", axis.input, axis.output), "at most 2^22 weights"));
        }
        let mut weights = vec![0.0; axis.input * axis.output];
        for index in 0..axis.output {
            let at = position(axis, index, coordinates).unwrap_or(0.0);
            let last = axis.input as f64 - 1.0;
            let at = if matches!(kernel, Kernel::Linear) { at.clamp(0.0, last) } else { at };
            let (first, fraction) = (at.floor(), at - at.floor());
            let mut taps: Vec<(f64, f64)> = match kernel {
                Kernel::Linear => vec![(first, 1.0 - fraction), (first + 1.0, fraction)],
                Kernel::Cubic(a, _) => {
                    let near = |x: f64| ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
                    let far = |x: f64| ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
                    vec![
                        (first - 1.0, far(1.0 + fraction)),
                        (first, near(fraction)),
                        (first + 1.0, near(1.0 - fraction)),
                        (first + 2.0, far(2.0 - fraction)),
                    ]
                }
            };
            if let Kernel::Cubic(_, true) = kernel {
                taps.retain(|&(at, _)| (0.0..=last).contains(&at));
                let sum: f64 = taps.iter().map(|&(_, weight)| weight).sum();
                taps.iter_mut().for_each(|(_, weight)| *weight /= sum);
            }
            for (at, weight) in taps {
                weights[index * axis.input + at.clamp(0.0, last) as usize] += weight;
            }
        }
        let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
        let rank = op.builder.tensor(result).shape.len();
        let mut last: Vec<usize> = (0..rank).collect();
        last.swap(axis.axis, rank - 1);
        let moved = op.builder.transpose(result, &last)?;
        let weights = op.builder.reals(&[axis.output, axis.input], &weights);
        let operator = Operator::Dense { keep_dims: true, activation: Activation::None, narrow_sums: false };
        let product = op.builder.push(operator, &[moved, weights])?;
        result = op.builder.transpose(product, &last)?;
    }
    Ok(vec![result])
}
