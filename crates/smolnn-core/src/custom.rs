//! What a function that stands for a custom operator is told.

/// A custom operator of a model, for the function of the user's that computes it: `fn(&CustomOperator<'_>, &[A], …, &mut [B], …)` with a slice per
/// input and per output, in the operator's order. The slices have as many elements as the shapes say.
///
/// ```
/// use smolnn_core::CustomOperator;
///
/// /// Twice the input, both with one scale and zero point.
/// fn double(operator: &CustomOperator<'_>, input: &[i8], output: &mut [i8]) {
///     let zero_point = operator.inputs[0].zero_point;
///     for (output, &input) in output.iter_mut().zip(input) {
///         *output = (2 * (i32::from(input) - zero_point) + zero_point).clamp(-128, 127) as i8;
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CustomOperator<'a> {
    /// The options, as the file has them.
    pub options: &'a [u8],
    /// The inputs.
    pub inputs: &'a [CustomTensor<'a>],
    /// The outputs.
    pub outputs: &'a [CustomTensor<'a>],
}

/// A tensor that a custom operator reads or writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CustomTensor<'a> {
    /// Its shape, as the file states it.
    pub shape: &'a [usize],
    /// Its scale: real value = scale · (stored value − zero point); 1 where the tensor has none.
    pub scale: f32,
    /// Its zero point.
    pub zero_point: i32,
}
