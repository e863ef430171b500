//! Random nets of images: odd sizes, strides, dilations, padding of each kind, residuals, concatenations, pads, resizes. Tests hold their plans by rows to those
//! with whole tensors, on the host and, by `cargo xtask graphs`, on boards.

use smolnn_fixed::Backend;

#[cfg(feature = "graphs")]
use super::Goal;
use super::{Aim, Program, plan};
use crate::error::Result;
use crate::lower::lower;
use crate::net::{
    Activation, BinaryKind, Constant, Element, Net, Node, Operator, Padding, PoolKind, Quantisation, RemovedChannels,
    SlidingWindow, Tensor, TensorId, UnaryKind,
};
use crate::rewrite::split_width;

/// A random net with an input, compiled for a backend.
#[cfg(feature = "graphs")]
#[derive(Debug)]
pub struct RandomNet {
    /// The input's bytes.
    pub input: Vec<u8>,
    /// Whether it computes with real numbers, whose sums differ from core to core.
    pub is_real: bool,
    /// For speed: every tensor is whole.
    pub whole: Program,
    /// By rows, each under the name of its way, where rows differ from whole tensors.
    pub by_rows: Vec<(&'static str, Program)>,
}

#[cfg(feature = "graphs")]
impl RandomNet {
    /// The net of a seed with whole tensors, and its input.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn reference(seed: u64, backend: Backend) -> Result<(Program, Vec<u8>)> {
        let (net, mut random) = random_net(seed);
        let input = input(&net, &mut random);
        Ok((compile_for(&net, backend, Aim::default())?, input))
    }

    /// The net of a seed.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported), if a plan cannot be made.
    pub fn new(seed: u64, backend: Backend) -> Result<Self> {
        let (net, mut random) = random_net(seed);
        let input = input(&net, &mut random);
        let is_real = net.tensors[net.inputs[0]].element == Element::F32;
        let whole = compile_for(&net, backend, Aim::default())?;
        let rows = Aim { goal: Goal::LeastArena, ..Aim::default() };
        let mut by_rows = Vec::new();
        let least = compile_for(&net, backend, rows)?;
        if least.steps.iter().any(|step| step.by_rows.is_some()) {
            by_rows.push(("least", least));
        }
        let lent = Aim { is_lent: true, ..rows };
        by_rows.push(("lent", compile_for(&net, backend, lent)?));
        if let Some(split) = split(&net, seed) {
            by_rows.push(("split", compile_for(&split, backend, lent)?));
        }
        let mut faster = lower(&net, backend)?;
        if !faster.within_flash(Some(usize::MAX), |_| true).layers.is_empty() {
            by_rows.push(("faster", plan("net", backend, faster, rows)?));
        }
        by_rows.push(("pushed", compile_for(&net, backend, Aim { is_pushed: true, ..rows })?));
        if ends_in_image(&net) {
            by_rows.push(("given", compile_for(&net, backend, Aim { is_pushed: true, is_given: true, ..rows })?));
        }
        Ok(Self { input, is_real, whole, by_rows })
    }
}

/// The net with some of its layers split along the width, where there are such: those before a tensor, or between two of them, in two to four parts.
pub(super) fn split(net: &Net, seed: u64) -> Option<Net> {
    let mut random = Random::new(seed);
    // Twice, for two chains in one net, one of them within the other or not.
    let mut split = None;
    for _ in 0..2 {
        let net = split.as_ref().unwrap_or(net);
        let mut ends: Vec<(usize, TensorId)> = net.nodes.iter().map(|node| node.outputs[0]).enumerate().collect();
        while !ends.is_empty() {
            let (position, end) = ends.swap_remove(random.number(0, ends.len() - 1));
            let start = if random.number(0, 1) == 0 { 0 } else { random.number(0, position) };
            let mut own = net.clone();
            if split_width(&mut own, (start, end), random.number(2, 4)).is_some() {
                split = Some(own);
                break;
            }
        }
    }
    split
}

/// Whether the net has one output, and that is an image of several rows.
pub(super) fn ends_in_image(net: &Net) -> bool {
    matches!(net.outputs[..], [output] if net.tensors[output].shape[1] > 1)
}

pub(super) fn compile_for(net: &Net, backend: Backend, aim: Aim) -> Result<Program> {
    lower(net, backend).and_then(|calls| plan("net", backend, calls, aim))
}

/// The net of a seed, and what draws its inputs.
pub(super) fn random_net(seed: u64) -> (Net, Random) {
    let mut builder = Builder::new(seed);
    let layers = builder.random.number(2, 8);
    while builder.net.nodes.len() < layers {
        builder.layer();
    }
    builder.finish()
}

/// The bytes of a random input.
pub(super) fn input(net: &Net, random: &mut Random) -> Vec<u8> {
    let tensor = &net.tensors[net.inputs[0]];
    if tensor.element == Element::F32 {
        let values = (0..tensor.len()).map(|_| random.number(0, 4000) as f32 / 1000.0 - 2.0);
        return values.flat_map(f32::to_le_bytes).collect();
    }
    (0..tensor.bytes()).map(|_| random.number(0, 255) as u8).collect()
}

/// Numbers that are the same for the same seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        (0..3).for_each(|_| {
            random.number(0, 1);
        });
        random
    }

    /// A number of `least` to `most`.
    pub(super) fn number(&mut self, least: usize, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        least + ((self.0 >> 33) % (most - least + 1) as u64) as usize
    }
}

/// A net under construction.
pub(super) struct Builder {
    random: Random,
    pub net: Net,
    element: Element,
    /// The images so far.
    pub images: Vec<TensorId>,
}

impl Builder {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let element = [Element::I8, Element::I8, Element::I16, Element::F32][random.number(0, 3)];
        let shape = vec![1, random.number(4, 21), random.number(1, 9), random.number(1, 5)];
        Self { random, ..Self::of(0, element, shape) }
    }

    /// A net with this input.
    pub(super) fn of(seed: u64, element: Element, shape: Vec<usize>) -> Self {
        let random = Random::new(seed);
        let net = Net {
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: vec![0],
            outputs: Vec::new(),
            removed: RemovedChannels::default(),
        };
        let mut builder = Self { random, net, element, images: Vec::new() };
        let input = builder.image(shape);
        builder.images.push(input);
        builder
    }

    pub(super) fn tensor(
        &mut self,
        element: Element,
        shape: Vec<usize>,
        scale: Option<f32>,
        data: Option<Vec<u8>>,
    ) -> TensorId {
        let name = format!("t{}", self.net.tensors.len());
        let quantisation = scale.map(|scale| Quantisation {
            scales: vec![scale],
            zero_points: vec![if element == Element::I8 && data.is_none() { 3 } else { 0 }],
            dimension: 0,
        });
        let tensor = Tensor { quantisation, ..Tensor::new(name, element, shape, data.map(Constant::new)) };
        self.net.tensors.push(tensor);
        self.net.tensors.len() - 1
    }

    /// A tensor that is computed. All have the same scale, so that any two can be joined.
    pub(super) fn image(&mut self, shape: Vec<usize>) -> TensorId {
        let scale = (self.element != Element::F32).then_some(0.05);
        self.tensor(self.element, shape, scale, None)
    }

    /// A constant of random weights.
    fn weights(&mut self, shape: Vec<usize>) -> TensorId {
        let count: usize = shape.iter().product();
        if self.element == Element::F32 {
            let values = (0..count).map(|_| self.random.number(0, 2000) as f32 / 1000.0 - 1.0);
            let bytes = values.flat_map(f32::to_le_bytes).collect();
            return self.tensor(Element::F32, shape, None, Some(bytes));
        }
        let bytes = (0..count).map(|_| self.random.number(1, 255) as u8 ^ 0x80).collect();
        self.tensor(Element::I8, shape, Some(0.01), Some(bytes))
    }

    /// A constant of these integers.
    pub(super) fn integers(&mut self, shape: Vec<usize>, values: &[i32]) -> TensorId {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(Element::I32, shape, None, Some(bytes))
    }

    fn shape(&self, id: TensorId) -> [usize; 4] {
        <[usize; 4]>::try_from(&self.net.tensors[id].shape[..]).expect("an image")
    }

    /// One of the images, the newest ones more often.
    fn pick(&mut self) -> TensorId {
        let count = self.images.len();
        let back = if self.random.number(0, 3) == 0 { self.random.number(1, count.min(4)) } else { 1 };
        self.images[count - back]
    }

    pub(super) fn node(&mut self, operator: Operator, inputs: &[TensorId], shape: Vec<usize>) {
        let output = self.image(shape);
        let index = self.net.nodes.len();
        let name = format!("{operator:?}").split([' ', '(']).next().unwrap_or_default().into();
        let inputs = inputs.iter().map(|&id| Some(id)).collect();
        self.net.nodes.push(Node { index, name, operator, inputs, outputs: vec![output] });
        self.images.push(output);
    }

    /// A window over an image and the kernel's height and width.
    fn window(&mut self, image: TensorId) -> Option<(SlidingWindow, [usize; 2])> {
        let [_, height, width, _] = self.shape(image);
        let kernel = [self.random.number(1, 4), self.random.number(1, 3)];
        let mut axis = |_| if self.random.number(0, 2) == 0 { 2 } else { 1 };
        let (stride, dilation) = ([axis(()), axis(())], [axis(()), axis(())]);
        let dilation = if stride == [1, 1] { dilation } else { [1, 1] };
        let padding = match self.random.number(0, 3) {
            0 => Padding::Valid,
            1 => {
                let mut side = |axis: usize| self.random.number(0, (kernel[axis] - 1) * dilation[axis]);
                Padding::Explicit { top: side(0), bottom: side(0), left: side(1), right: side(1) }
            }
            _ => Padding::Same,
        };
        let span = |axis: usize| (kernel[axis] - 1) * dilation[axis] + 1;
        (span(0) <= height && span(1) <= width).then_some((SlidingWindow { stride, dilation, padding }, kernel))
    }

    fn activation(&mut self) -> Activation {
        if self.random.number(0, 1) == 0 { Activation::Relu } else { Activation::None }
    }

    /// A convolution, of every channel by itself or of all.
    fn random_convolution(&mut self, image: TensorId, window: SlidingWindow, kernel: [usize; 2], depthwise: bool) {
        let outputs = self.random.number(1, if depthwise { 2 } else { 6 });
        let outputs = if depthwise { self.shape(image)[3] * outputs } else { outputs };
        self.convolution_of(image, window, kernel, (outputs, depthwise));
    }

    /// A convolution with these output channels; without them, of every channel by itself.
    pub(super) fn convolution(
        &mut self,
        image: TensorId,
        window: SlidingWindow,
        kernel: [usize; 2],
        outputs: Option<usize>,
    ) {
        let outputs = outputs.map_or((self.shape(image)[3], true), |outputs| (outputs, false));
        self.convolution_of(image, window, kernel, outputs);
    }

    fn convolution_of(
        &mut self,
        image: TensorId,
        window: SlidingWindow,
        kernel: [usize; 2],
        (outputs, depthwise): (usize, bool),
    ) {
        let [_, height, width, channels] = self.shape(image);
        let over = window.over([1, height, width, channels], kernel);
        let output = over.conv(outputs).expect("the window fits").output();
        let weights = if depthwise {
            self.weights(vec![1, kernel[0], kernel[1], outputs])
        } else {
            self.weights(vec![outputs, kernel[0], kernel[1], channels])
        };
        let bias = match self.element {
            Element::F32 => self.weights(vec![outputs]),
            Element::I16 => {
                self.tensor(Element::I64, vec![outputs], Some(0.0005), Some([7, 1, 0, 0, 0, 0, 0, 0].repeat(outputs)))
            }
            _ => self.tensor(Element::I32, vec![outputs], Some(0.0005), Some([7, 1, 0, 0].repeat(outputs))),
        };
        let activation = self.activation();
        let operator = if depthwise {
            Operator::DepthwiseConv2d { window, activation }
        } else {
            Operator::Conv2d { window, activation, narrow_sums: false }
        };
        self.node(operator, &[image, weights, bias], vec![1, output.height, output.width, outputs]);
    }

    pub(super) fn layer(&mut self) {
        let image = self.pick();
        let shape = self.shape(image);
        match self.random.number(0, 16) {
            0..=3 => {
                let depthwise = self.random.number(0, 1) == 0;
                if let Some((window, kernel)) = self.window(image) {
                    self.random_convolution(image, window, kernel, depthwise);
                }
            }
            4 => {
                let Some((window, kernel)) = self.window(image) else { return };
                let window = SlidingWindow { dilation: [1, 1], ..window };
                let kind = if self.random.number(0, 1) == 0 { PoolKind::Max } else { PoolKind::Average };
                let Ok(pool) = window.over(shape, kernel).pool() else { return };
                let output = pool.output();
                let shape = vec![1, output.height, output.width, shape[3]];
                let activation = self.activation();
                self.node(Operator::Pool2d { kind, kernel, window, activation }, &[image], shape);
            }
            5 => self.node(Operator::Unary(UnaryKind::LeakyRelu { alpha: 0.3 }), &[image], shape.to_vec()),
            6 => {
                // A residual: what a convolution makes of an image, added to it.
                let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding: Padding::Same };
                let kernel = [self.random.number(1, 3), self.random.number(1, 3)];
                self.random_convolution(image, window, kernel, true);
                let last = *self.images.last().expect("the convolution's output");
                if self.shape(last) == shape {
                    let activation = self.activation();
                    self.node(Operator::Binary(BinaryKind::Add, activation), &[last, image], shape.to_vec());
                }
            }
            7 => {
                let like = |&&other: &&TensorId| self.shape(other)[..3] == shape[..3];
                let Some(&other) = self.images.iter().rev().skip(1).find(like) else { return };
                let channels = shape[3] + self.shape(other)[3];
                let together = vec![1, shape[1], shape[2], channels];
                if channels < 12 {
                    self.node(Operator::Concatenate { axis: 3 }, &[image, other], together);
                }
            }
            8 => {
                let equal = |&&other: &&TensorId| self.shape(other) == shape;
                let Some(&other) = self.images.iter().rev().skip(1).find(equal) else { return };
                let operator = Operator::Binary(BinaryKind::Add, Activation::None);
                self.node(operator, &[image, other], shape.to_vec());
            }
            9 => {
                // An inverted residual: many channels between two layers of few.
                let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding: Padding::Same };
                if shape[3] > 4 || shape[2] * shape[3] > 30 {
                    return;
                }
                self.convolution(image, window, [1, 1], Some(6 * shape[3]));
                let wide = *self.images.last().expect("the convolution's output");
                let stride = self.random.number(1, 2);
                self.convolution(wide, SlidingWindow { stride: [stride; 2], ..window }, [3, 3], None);
                let wide = *self.images.last().expect("the convolution's output");
                self.convolution(wide, window, [1, 1], Some(shape[3]));
            }
            10 => {
                let mut amount = |most: usize| self.random.number(0, most) as i32;
                let amounts = [0, 0, amount(3), amount(3), amount(2), amount(2), amount(1), amount(1)];
                let padded = |axis: usize| shape[axis] + (amounts[2 * axis] + amounts[2 * axis + 1]) as usize;
                let together = vec![1, padded(1), padded(2), padded(3)];
                if together[1] > 40 || together[3] > 12 {
                    return;
                }
                let paddings = self.integers(vec![4, 2], &amounts);
                self.node(Operator::Pad, &[image, paddings], together);
            }
            kind @ 11..=12 => {
                let factors = [1, 2, 2, 3, 4];
                let [rows, columns] = [(); 2].map(|()| factors[self.random.number(0, factors.len() - 1)]);
                let size = [shape[1] * rows, shape[2] * columns];
                if size[0] > 40 || size[1] > 20 {
                    return;
                }
                let lengths = self.integers(vec![2], &size.map(|length| length as i32));
                let half_pixel_centers = self.random.number(0, 1) == 0;
                let align_corners = !half_pixel_centers && self.random.number(0, 5) == 0;
                let operator = if kind == 11 {
                    Operator::ResizeNearest { align_corners, half_pixel_centers }
                } else {
                    Operator::ResizeBilinear { align_corners, half_pixel_centers }
                };
                self.node(operator, &[image, lengths], vec![1, size[0], size[1], shape[3]]);
            }
            13..=15 => {
                // A convolution of as many channels as Winograd's products take, between two layers of few.
                let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding: Padding::Same };
                if shape[1] < 3 || shape[2] < 3 || shape[2] * shape[3] > 100 {
                    return;
                }
                let padding = if self.random.number(0, 2) == 0 { Padding::Valid } else { Padding::Same };
                let inputs = 4 * self.random.number(2, 4);
                self.convolution(image, window, [1, 1], Some(inputs));
                let wide = *self.images.last().expect("the convolution's output");
                let outputs = 4 * self.random.number(2, 5);
                self.convolution(wide, SlidingWindow { padding, ..window }, [3, 3], Some(outputs));
                let wide = *self.images.last().expect("the convolution's output");
                self.convolution(wide, window, [1, 1], Some(shape[3]));
            }
            _ => {
                if self.element != Element::F32 && self.element != Element::I8 {
                    return;
                }
                let factors = self.weights(vec![shape[3]]);
                let operator = Operator::Binary(BinaryKind::Multiply, Activation::None);
                self.node(operator, &[image, factors], shape.to_vec());
            }
        }
    }

    /// The net, of which nothing is unused: what nobody reads is an output, and at times another image.
    pub(super) fn finish(mut self) -> (Net, Random) {
        let is_read = |id: &TensorId| self.net.nodes.iter().any(|node| node.inputs.contains(&Some(*id)));
        self.net.outputs = self.images[1..].iter().copied().filter(|id| !is_read(id)).collect();
        let extra = self.images[self.random.number(0, self.images.len() - 1)];
        if self.random.number(0, 5) == 0 && extra != 0 && !self.net.outputs.contains(&extra) {
            self.net.outputs.push(extra);
        }
        (self.net, self.random)
    }
}
