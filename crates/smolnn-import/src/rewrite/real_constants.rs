//! Gives constants the type that real numbers are computed in.
//!
//! Files hold the weights of float layers as integers with scales (dynamic range quantisation) or as FLOAT16, in the layer or behind a DEQUANTIZE.
//! The reference either refuses them or quantises the layer's input when it runs; here the weights become FLOAT32 when the model is imported, and
//! the layer computes with real numbers.

use crate::net::{Constant, Element, Net, Operator, Tensor, TensorId, from_f16};

/// Folds DEQUANTIZE of constants, and makes the constant operands of float layers FLOAT32.
pub(super) fn apply(net: &mut Net) {
    for position in 0..net.nodes.len() {
        let node = &net.nodes[position];
        match node.operator {
            Operator::Dequantise => {
                let (&[Some(input)], &[output]) = (&node.inputs[..], &node.outputs[..]) else { continue };
                if let Some(constant) = real(&net.tensors[input])
                    && (net.tensors[output].element, &net.tensors[output].shape) == (Element::F32, &constant.shape)
                    && !net.outputs.contains(&output)
                {
                    net.tensors[output].data = constant.data;
                }
            }
            Operator::Conv2d { .. }
            | Operator::DepthwiseConv2d { .. }
            | Operator::TransposeConv2d { .. }
            | Operator::Dense { .. }
            | Operator::MatMul { .. }
            | Operator::Recurrent { .. }
            | Operator::Lstm { .. }
            | Operator::Svdf { .. } => {
                let is_real = |&id: &TensorId| net.tensors[id].element == Element::F32;
                if !node.outputs.first().is_some_and(is_real) {
                    continue;
                }
                let of_file = node.inputs.clone();
                for (index, input) in of_file.into_iter().enumerate() {
                    // A transposed convolution begins with the shape of its output.
                    if index == 0 && matches!(net.nodes[position].operator, Operator::TransposeConv2d { .. }) {
                        continue;
                    }
                    let Some(constant) = input.and_then(|id| real(&net.tensors[id])) else { continue };
                    net.tensors.push(constant);
                    net.nodes[position].inputs[index] = Some(net.tensors.len() - 1);
                }
            }
            _ => {}
        }
    }
    // What is constant now is written by no node.
    let tensors = &net.tensors;
    let is_folded = |id: &TensorId| tensors[*id].data.is_some();
    net.nodes.retain(|node| node.operator != Operator::Dequantise || !node.outputs.iter().all(is_folded));
}

/// A constant of scaled integers or FLOAT16 as one of FLOAT32.
fn real(tensor: &Tensor) -> Option<Tensor> {
    let bytes = tensor.data.as_ref()?.bytes();
    let values: Vec<f32> = if tensor.element == Element::F16 {
        bytes.as_chunks().0.iter().map(|&bytes| from_f16(u16::from_le_bytes(bytes))).collect()
    } else {
        tensor.dequantised()?
    };
    let data = Constant::new(values.into_iter().flat_map(f32::to_le_bytes).collect());
    Some(Tensor { element: Element::F32, quantisation: None, data: Some(data), ..tensor.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against values that IEEE 754 gives, subnormal ones and infinity among them.
    #[test]
    fn half_precision_becomes_single() {
        let pairs = [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, value) in pairs {
            assert_eq!(from_f16(bits), value, "{bits:#x}");
        }
        assert!(from_f16(0x7e00).is_nan());
    }

    #[test]
    fn scaled_integers_become_real_by_channel() {
        let quantisation = crate::net::Quantisation { scales: vec![0.5, 2.0], zero_points: vec![0, 1], dimension: 1 };
        let tensor = Tensor {
            name: "weights".into(),
            element: Element::I8,
            shape: vec![2, 2, 1],
            open: Vec::new(),
            quantisation: Some(quantisation),
            data: Some(Constant::new(vec![1, 2, 0xff, 0x80])),
            variable: false,
            start: None,
        };
        let real = real(&tensor).expect("the tensor is a constant");
        let values = real.reals().expect("a constant of real numbers");
        assert_eq!((real.element, values), (Element::F32, vec![0.5, 2.0, -0.5, -258.0]));
    }
}
