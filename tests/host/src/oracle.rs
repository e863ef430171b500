//! The operators by their definitions: every index spelled out, nothing shared with the kernels but the shapes.

use smolnn_core::{Conv2dShape, DepthwiseConv2dShape};
use smolnn_float::Number;

/// `y[n, i, j, o] = b[o] + Σ_{u, v, c} W[o, u, v, c]·x[n, i·s − p + u·d, j·s − p + v·d, g·C + c]`, one group after the other.
pub fn conv2d<T: Number>(shape: &Conv2dShape, weights: &[T], bias: &[T], input: &[T]) -> Vec<T> {
    let (kh, kw) = (shape.rows().kernel(), shape.columns().kernel());
    let (per_group, outputs_per_group) =
        (shape.input().channels / shape.groups(), shape.output().channels / shape.groups());
    let mut output = Vec::new();
    for n in 0..shape.batch() {
        for i in 0..shape.output().height {
            for j in 0..shape.output().width {
                for o in 0..shape.output().channels {
                    let mut sum = bias[o];
                    for u in 0..kh {
                        for v in 0..kw {
                            for c in 0..per_group {
                                let weight = weights[((o * kh + u) * kw + v) * per_group + c];
                                let channel = o / outputs_per_group * per_group + c;
                                let y = (i * shape.rows().stride() + u * shape.rows().dilation()) as isize
                                    - shape.rows().before() as isize;
                                let x = (j * shape.columns().stride() + v * shape.columns().dilation()) as isize
                                    - shape.columns().before() as isize;
                                sum += weight * pixel(shape.input(), input, n, y, x, channel);
                            }
                        }
                    }
                    output.push(sum);
                }
            }
        }
    }
    output
}

/// y[n, i, j, c·m + k] = b[c·m + k] + Σ_{u, v} W[u, v, c·m + k]·x[n, i·s − p + u·d, j·s − p + v·d, c].
pub fn depthwise<T: Number>(shape: &DepthwiseConv2dShape, weights: &[T], bias: &[T], input: &[T]) -> Vec<T> {
    let mut output = Vec::new();
    for n in 0..shape.batch() {
        for i in 0..shape.output().height {
            for j in 0..shape.output().width {
                for o in 0..shape.output().channels {
                    let mut sum = bias[o];
                    for u in 0..shape.rows().kernel() {
                        for v in 0..shape.columns().kernel() {
                            let weight = weights[(u * shape.columns().kernel() + v) * shape.output().channels + o];
                            let y = (i * shape.rows().stride() + u * shape.rows().dilation()) as isize
                                - shape.rows().before() as isize;
                            let x = (j * shape.columns().stride() + v * shape.columns().dilation()) as isize
                                - shape.columns().before() as isize;
                            sum += weight * pixel(shape.input(), input, n, y, x, o / shape.multiplier());
                        }
                    }
                    output.push(sum);
                }
            }
        }
    }
    output
}

/// The element, 0 outside of the image.
pub fn pixel<T: Number>(image: smolnn_core::Image, input: &[T], n: usize, y: isize, x: isize, channel: usize) -> T {
    if y < 0 || x < 0 || y >= image.height as isize || x >= image.width as isize {
        return T::default();
    }
    input[((n * image.height + y as usize) * image.width + x as usize) * image.channels + channel]
}
