//! Random nets by rows against the same nets with whole tensors: bit for bit, in an arena that is no larger.

use std::collections::BTreeMap;

use smolnn_fixed::Backend;

use super::{Aim, Goal, OutputRows, Program, plan};
use crate::error::Result;
use crate::lower::lower;
use crate::net::{
    Activation, BinaryKind, Constant, Element, Net, Node, Operator, Padding, PoolKind, Quantisation, ReduceKind,
    RemovedChannels, SlidingWindow, Tensor, TensorId, UnaryKind,
};
use crate::rewrite::split_channels;

/// Numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        (0..3).for_each(|_| {
            random.number(0, 1);
        });
        random
    }

    /// A number of `least` to `most`.
    fn number(&mut self, least: usize, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        least + ((self.0 >> 33) % (most - least + 1) as u64) as usize
    }
}

/// A net under construction.
struct Builder {
    random: Random,
    net: Net,
    element: Element,
    /// The images so far.
    images: Vec<TensorId>,
}

impl Builder {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let element = [Element::I8, Element::I8, Element::I16, Element::F32][random.number(0, 3)];
        let shape = vec![1, random.number(4, 21), random.number(1, 9), random.number(1, 5)];
        Self { random, ..Self::of(0, element, shape) }
    }

    /// A net with this input.
    fn of(seed: u64, element: Element, shape: Vec<usize>) -> Self {
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

    fn tensor(&mut self, element: Element, shape: Vec<usize>, scale: Option<f32>, data: Option<Vec<u8>>) -> TensorId {
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
    fn image(&mut self, shape: Vec<usize>) -> TensorId {
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
    fn integers(&mut self, shape: Vec<usize>, values: &[i32]) -> TensorId {
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

    fn node(&mut self, operator: Operator, inputs: &[TensorId], shape: Vec<usize>) {
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
    fn convolution(&mut self, image: TensorId, window: SlidingWindow, kernel: [usize; 2], outputs: Option<usize>) {
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

    fn layer(&mut self) {
        let image = self.pick();
        let shape = self.shape(image);
        match self.random.number(0, 13) {
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
    fn finish(mut self) -> (Net, Random) {
        let is_read = |id: &TensorId| self.net.nodes.iter().any(|node| node.inputs.contains(&Some(*id)));
        self.net.outputs = self.images[1..].iter().copied().filter(|id| !is_read(id)).collect();
        let extra = self.images[self.random.number(0, self.images.len() - 1)];
        if self.random.number(0, 5) == 0 && extra != 0 && !self.net.outputs.contains(&extra) {
            self.net.outputs.push(extra);
        }
        (self.net, self.random)
    }
}

fn compile(net: &Net, goal: Goal, is_pushed: bool) -> Result<Program> {
    compile_for(net, Aim { goal, is_pushed, is_given: false })
}

fn compile_for(net: &Net, aim: Aim) -> Result<Program> {
    lower(net, Backend::CURRENT).and_then(|calls| plan("net", Backend::CURRENT, calls, aim))
}

/// The outputs of some runs, one after the other.
fn outputs(program: &Program, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut runner = program.runner().expect("a runner");
    let mut found = Vec::new();
    for input in inputs {
        runner.set_input(0, input).expect("the input fits");
        runner.run().expect("the net runs");
        found.extend((0..program.net.outputs.len()).map(|index| runner.output(index).expect("an output").to_vec()));
    }
    found
}

fn input(net: &Net, random: &mut Random) -> Vec<u8> {
    let tensor = &net.tensors[net.inputs[0]];
    if tensor.element == Element::F32 {
        let values = (0..tensor.len()).map(|_| random.number(0, 4000) as f32 / 1000.0 - 2.0);
        return values.flat_map(f32::to_le_bytes).collect();
    }
    (0..tensor.bytes()).map(|_| random.number(0, 255) as u8).collect()
}

#[test]
fn random_nets_give_the_same_by_rows() {
    const NETS: u64 = 2000;
    // Programs with calls that run in some turns only, with rows that rest elsewhere, with rows made again, with tensors that move.
    let mut ways = [0; 4];
    let (mut by_rows, mut pushed, mut bands, mut saved, mut whole_bytes) = (0, 0, 0, 0, 0);
    // Nets that end in one image, and those of them that never have all of it in the arena, with an input that lies whole and one that comes by rows.
    let (mut ends, mut given) = (0, [0, 0]);
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..NETS {
        let mut builder = Builder::new(seed);
        let layers = builder.random.number(2, 8);
        while builder.net.nodes.len() < layers {
            builder.layer();
        }
        let (net, mut random) = builder.finish();
        let whole = compile(&net, Goal::Speed, false).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{net:#?}"));
        let inputs = [input(&net, &mut random), input(&net, &mut random)];
        let expected = outputs(&whole, &inputs);
        let least = compile(&net, Goal::LeastArena, false).expect("it compiles by rows");
        assert!(least.arena_bytes() <= whole.arena_bytes(), "seed {seed}: a larger arena");
        // Positions of rows that are repeated are constants, of which some rows have fewer or other ones.
        let repeats = net.nodes.iter().any(|node| matches!(node.operator, Operator::ResizeNearest { .. }));
        assert!(repeats || least.constant_bytes() == whole.constant_bytes(), "seed {seed}: other constants");
        let between = (least.arena_bytes() + whole.arena_bytes()) / 2;
        let budget = compile(&net, Goal::Budget(between), false).expect("it compiles within a budget that can be kept");
        assert!(budget.arena_bytes() <= between, "seed {seed}: {} bytes of {between}", budget.arena_bytes());
        let by_row = compile(&net, Goal::LeastArena, true).expect("it compiles for an input by rows");
        assert!(by_row.arena_bytes() <= whole.arena_bytes(), "seed {seed}: a larger arena without the image");
        let rows = by_row.input_rows.as_ref().expect("the input comes by rows");
        pushed += usize::from(rows.image.capacity < rows.image.height);
        let mut programs = vec![(least, "the least arena"), (budget, "a budget"), (by_row, "an input by rows")];
        if let &[output] = &net.outputs[..]
            && net.tensors[output].shape[1] > 1
        {
            ends += 1;
            for is_pushed in [false, true] {
                let aim = Aim { goal: Goal::LeastArena, is_pushed, is_given: true };
                let program = compile_for(&net, aim).expect("it compiles for an output by rows");
                let known = &programs[2 * usize::from(is_pushed)].0;
                assert!(
                    program.arena_bytes() <= known.arena_bytes(),
                    "seed {seed}: an arena of {} bytes without the output, {} with it",
                    program.arena_bytes(),
                    known.arena_bytes()
                );
                let OutputRows { image, stage, turns } = program.output_rows.as_ref().expect("the output goes by rows");
                assert!(turns.range.end <= program.stages[*stage].turns, "seed {seed}: turns that do not run");
                let rows: Vec<usize> = (0..turns.count()).flat_map(|turn| image.rows(turn)).collect();
                assert!(rows.into_iter().eq(0..image.height), "seed {seed}: each row is given once, in order");
                given[usize::from(is_pushed)] += usize::from(image.capacity < image.height);
                programs.push((program, if is_pushed { "input and output by rows" } else { "an output by rows" }));
            }
        }
        for (program, goal) in &programs {
            assert!(outputs(program, &inputs) == expected, "seed {seed}, for {goal}: {net:#?}");
            let by_rows = || program.steps.iter().filter_map(|step| step.by_rows.as_ref());
            ways[0] += usize::from(by_rows().any(|of| of.runs.iter().any(|run| run.turns.period > 1)));
            ways[1] += usize::from(by_rows().any(|of| !of.after.is_empty()));
            ways[2] += usize::from(program.macs() > whole.macs());
            ways[3] += usize::from(program.steps.iter().any(|step| step.moved.is_some()));
            assert!(program.macs() >= whole.macs(), "seed {seed}: MACs are lost");
            for step in program.steps.iter().filter(|step| step.by_rows.is_some()) {
                *operators.entry(net.nodes[step.node].name.clone()).or_default() += 1;
            }
            bands += program.stages.iter().filter(|stage| stage.steps.len() > 1).count();
        }
        let (least, _) = &programs[0];
        by_rows += usize::from(least.stages.iter().any(|stage| stage.steps.len() > 1));
        saved += whole.arena_bytes() - least.arena_bytes();
        whole_bytes += whole.arena_bytes();
    }
    println!("seeds 0 to {NETS}: {by_rows} nets by rows in {bands} bands, {saved} of {whole_bytes} bytes saved");
    println!("calls in some turns, rows that rest elsewhere, rows made again, tensors that move: {ways:?} programs");
    assert!(ways.iter().all(|&programs| programs >= 5), "{ways:?}");
    println!("{pushed} nets never have their whole input in the arena");
    for operator in ["Pad", "ResizeNearest", "ResizeBilinear"] {
        assert!(operators.get(operator).is_some_and(|&calls| calls > 100), "{operator} seldom goes by rows");
    }
    println!("{ends} nets end in one image; {given:?} never have all of it in the arena");
    println!("operators by rows: {operators:?}");
    assert!(given.iter().all(|&nets| 2 * nets > ends) && ends as u64 > NETS / 8, "{given:?} of {ends}");
    assert!(pushed as u64 > NETS / 4, "{pushed} nets of {NETS} take their input by rows");
    assert!(by_rows as u64 > NETS / 3, "{by_rows} nets of {NETS} run by rows");
}

#[test]
fn groups_of_channels_give_the_same() {
    for (seed, element) in [Element::I8, Element::I16, Element::F32].into_iter().enumerate() {
        for mean in [false, true] {
            let mut builder = Builder::of(seed as u64, element, vec![1, 11, 7, 5]);
            let window = SlidingWindow { stride: [1, 1], dilation: [1, 1], padding: Padding::Same };
            builder.convolution(0, window, [1, 1], Some(37));
            let wide = builder.images[1];
            if mean {
                let bytes = [1i32, 2].iter().flat_map(|axis| axis.to_le_bytes()).collect();
                let axes = builder.tensor(Element::I32, vec![2], None, Some(bytes));
                let operator = Operator::Reduce { kind: ReduceKind::Mean, keep_dims: true };
                builder.node(operator, &[wide, axes], vec![1, 1, 1, 37]);
            } else {
                builder.convolution(wide, SlidingWindow { stride: [2, 2], ..window }, [3, 3], None);
            }
            let (net, mut random) = builder.finish();
            let mut split = net.clone();
            assert!(split_channels(&mut split, 600, 300), "37 channels are too many");
            // Four groups of eight, one of five, and what puts them together.
            assert_eq!(split.nodes.len(), 11, "{element:?}");
            let inputs = [input(&net, &mut random), input(&net, &mut random)];
            let whole = compile(&net, Goal::Speed, false).expect("it compiles");
            let groups = compile(&split, Goal::Speed, false).expect("it compiles in groups");
            assert!(groups.arena_bytes() < whole.arena_bytes(), "{element:?}: groups take no less memory");
            assert_eq!(whole.macs(), groups.macs(), "{element:?}");
            let by_rows = compile(&split, Goal::LeastArena, false).expect("it compiles by rows");
            for program in [groups, by_rows] {
                assert!(outputs(&program, &inputs) == outputs(&whole, &inputs), "{element:?}: other outputs in groups");
            }
        }
    }
}
