//! Convolutions and transposed ones, over sequences and images: operators of the net on images with channels last, between transposes.

use super::operator::Op;
use crate::error::Problem;
use crate::net::{Activation, Operator, Padding, SlidingWindow, TensorId};

type Outputs = Result<Vec<TensorId>, Problem>;

/// Most weights of a transposed convolution in groups, with those of 0 between channels of different groups.
const MOST_GROUPED: usize = 1 << 24;

/// A tensor of channels in dimension 1 as an image with channels last; a sequence is an image of one row.
pub(super) fn to_image(op: &mut Op<'_>, id: TensorId) -> Result<TensorId, Problem> {
    let image = match op.builder.shape(id)[..] {
        [batch, channels, length] => op.builder.reshape(id, &[batch, channels, 1, length])?,
        [_, _, _, _] => id,
        ref shape => return Err(op.fault(format!("shape {shape:?}"), "sequences and images: rank 3 and 4")),
    };
    op.builder.transpose(image, &[0, 2, 3, 1])
}

/// An image with channels last as a tensor of channels in dimension 1, of so many dimensions.
pub(super) fn from_image(op: &mut Op<'_>, id: TensorId, rank: usize) -> Result<TensorId, Problem> {
    let image = op.builder.transpose(id, &[0, 3, 1, 2])?;
    match op.builder.shape(image)[..] {
        [batch, channels, 1, length] if rank == 3 => op.builder.reshape(image, &[batch, channels, length]),
        _ => Ok(image),
    }
}

/// How a kernel slides, as the attributes say it: rows and columns, where those of a sequence are columns.
pub(super) struct Sliding {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Before and behind rows, before and behind columns; `None` where they follow from the sizes.
    pub pads: Option<[[usize; 2]; 2]>,
    /// SAME with the odd one in front.
    pub same_lower: bool,
}

impl Sliding {
    /// The attributes of an operator with this kernel.
    pub fn of(op: &Op<'_>, kernel: &[usize]) -> Result<Self, Problem> {
        let rank = kernel.len();
        let two = |values: Vec<usize>, one: usize| match values[..] {
            [columns] => Ok([one, columns]),
            [rows, columns] => Ok([rows, columns]),
            _ => Err(op.fault(format!("{rank} dimensions"), "sequences and images")),
        };
        let list = |name: &str, otherwise: usize, count: usize, least: usize| -> Result<Vec<usize>, Problem> {
            let Some(values) = op.ints(name).filter(|values| !values.is_empty()) else {
                return Ok(vec![otherwise; count]);
            };
            let fits = values
                .iter()
                .map(|&value| usize::try_from(value).ok().filter(|value| (least..=1 << 20).contains(value)));
            let fits = fits.collect::<Option<Vec<_>>>().filter(|fits| fits.len() == count);
            fits.ok_or_else(|| op.fault(format!("{name} {values:?}"), format!("{count} numbers of at least {least}")))
        };
        let (pads, same_lower) = match &op.text("auto_pad", "NOTSET")[..] {
            "NOTSET" | "" => {
                let pads = list("pads", 0, 2 * rank, 0)?;
                let of = |axis: usize| [pads[axis], pads[rank + axis]];
                (Some(if rank == 1 { [[0, 0], of(0)] } else { [of(0), of(1)] }), false)
            }
            "VALID" => (Some([[0, 0], [0, 0]]), false),
            "SAME_UPPER" => (None, false),
            "SAME_LOWER" => (None, true),
            other => return Err(op.fault(format!("auto_pad {other}"), "NOTSET, VALID, SAME_UPPER, SAME_LOWER")),
        };
        Ok(Self {
            kernel: two(kernel.to_vec(), 1)?,
            stride: two(list("strides", 1, rank, 1)?, 1)?,
            dilation: two(list("dilations", 1, rank, 1)?, 1)?,
            pads,
            same_lower,
        })
    }

    /// Positions from the first tap to the last one, along an axis.
    pub fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// The padding over an image of these sizes, before and behind each axis.
    pub fn amounts(&self, image: [usize; 2]) -> [[usize; 2]; 2] {
        self.pads.unwrap_or_else(|| {
            [0, 1].map(|axis| {
                let outputs = image[axis].div_ceil(self.stride[axis]);
                let total = ((outputs - 1) * self.stride[axis] + self.extent(axis)).saturating_sub(image[axis]);
                let less = total / 2;
                if self.same_lower { [total - less, less] } else { [less, total - less] }
            })
        })
    }

    /// The window with this padding.
    pub fn window(&self, [[top, bottom], [left, right]]: [[usize; 2]; 2]) -> SlidingWindow {
        let padding = match [top, bottom, left, right] {
            [0, 0, 0, 0] => Padding::Valid,
            _ => Padding::Explicit { top, bottom, left, right },
        };
        SlidingWindow { stride: self.stride, dilation: self.dilation, padding }
    }
}

/// The lengths of a kernel in weights of shape `[.., .., kernel..]`, one or two.
fn kernel(op: &Op<'_>) -> Result<(Vec<usize>, Vec<usize>), Problem> {
    let shape = op.shape(1)?;
    let id = op.input(1)?;
    if !(3..=4).contains(&shape.len()) || shape.contains(&0) {
        return Err(op.builder.fault_of(id, format!("weights of shape {shape:?}"), "kernels of one or two dimensions"));
    }
    if !op.builder.is_constant(id) {
        return Err(op.builder.fault_of(id, "weights computed when the model runs", "constant weights"));
    }
    if op.shape(0)?.len() != shape.len() {
        return Err(op.fault(
            format!("an input of shape {:?} with weights of shape {shape:?}", op.shape(0)?),
            "as many dimensions",
        ));
    }
    let stated = op.ints("kernel_shape").filter(|stated| !stated.is_empty());
    if let Some(stated) = stated
        && !stated.iter().copied().eq(shape[2..].iter().map(|&length| length as i64))
    {
        let found = format!("kernel_shape {stated:?} with weights of shape {shape:?}");
        return Err(op.fault(found, "a kernel_shape that is the weights'"));
    }
    Ok((shape[2..].to_vec(), shape))
}

/// The number of groups.
fn groups(op: &Op<'_>, channels: usize) -> Result<usize, Problem> {
    let groups = usize::try_from(op.int("group", 1)).unwrap_or(0);
    if groups == 0 || !channels.is_multiple_of(groups) {
        return Err(op.fault(format!("{groups} groups of {channels} channels"), "groups that divide the channels"));
    }
    Ok(groups)
}

/// The bias of a layer, operand `index`, as the file stores it.
pub(super) fn bias(op: &mut Op<'_>, index: usize) -> Result<Option<TensorId>, Problem> {
    let Some(id) = op.optional(index) else { return Ok(None) };
    op.builder.relaid(id, [0, 0], |_, id| Ok(id)).map(Some)
}

pub(super) fn conv(op: &mut Op<'_>) -> Outputs {
    let (id, rank) = (op.input(0)?, op.shape(0)?.len());
    let (lengths, shape) = kernel(op)?;
    let sliding = Sliding::of(op, &lengths)?;
    let channels = op.shape(0)?[1];
    let groups = groups(op, channels)?;
    let image = to_image(op, id)?;
    let [rows, columns] = sliding.kernel;
    let size = op.builder.shape(image);
    let pads = sliding.amounts([size[1], size[2]]);
    let weights = op.input(1)?;
    let is_depthwise = groups > 1 && groups == channels && shape[1] == 1;
    let window = sliding.window(pads);
    let relaid = |dimensions: [usize; 2], order: &[usize], op: &mut Op<'_>| {
        op.builder.relaid(weights, dimensions, |builder, id| {
            let kernel = builder.reshape(id, &[shape[0], shape[1], rows, columns])?;
            builder.transpose(kernel, order)
        })
    };
    let (operator, weights) = if is_depthwise {
        let weights = relaid([0, 3], &[1, 2, 3, 0], op)?;
        (Operator::DepthwiseConv2d { window, activation: Activation::None }, weights)
    } else {
        if shape[1] * groups != channels {
            return Err(op.fault(
                format!("weights of shape {shape:?} for {channels} channels in {groups} groups"),
                "weights for all channels",
            ));
        }
        let weights = relaid([0, 0], &[0, 2, 3, 1], op)?;
        (Operator::Conv2d { window, activation: Activation::None, narrow_sums: false }, weights)
    };
    let bias = bias(op, 2)?;
    let result = op.builder.push_optional(operator, &[Some(image), Some(weights), bias])?;
    Ok(vec![from_image(op, result, rank)?])
}

pub(super) fn conv_transpose(op: &mut Op<'_>) -> Outputs {
    let (id, rank) = (op.input(0)?, op.shape(0)?.len());
    let (lengths, shape) = kernel(op)?;
    let sliding = Sliding::of(op, &lengths)?;
    let channels = op.shape(0)?[1];
    let groups = groups(op, channels)?;
    if shape[0] != channels {
        return Err(op.fault(format!("weights for {} of {channels} channels", shape[0]), "weights for all channels"));
    }
    let image = to_image(op, id)?;
    let size = op.builder.shape(image);
    let count = lengths.len();
    let behind = |name: &str| -> Result<Option<[usize; 2]>, Problem> {
        let Some(values) = op.ints(name).filter(|values| !values.is_empty()) else { return Ok(None) };
        let values = &values[values.len().saturating_sub(count)..];
        let fits = values
            .iter()
            .map(|&value| usize::try_from(value).ok().filter(|&value| value <= 1 << 20))
            .collect::<Option<Vec<_>>>();
        match fits.as_deref() {
            Some(&[columns]) if count == 1 => Ok(Some([usize::from(name == "output_shape"), columns])),
            Some(&[rows, columns]) => Ok(Some([rows, columns])),
            _ => Err(op.fault(format!("{name} {values:?}"), "a number of at least 0 per dimension")),
        }
    };
    let extra = behind("output_padding")?.unwrap_or([0, 0]);
    let wanted = behind("output_shape")?;
    let upper = !sliding.same_lower;
    let (mut pads, mut sizes, mut wanted_sizes) = ([[0; 2]; 2], [0; 2], [None; 2]);
    for axis in 0..2 {
        let full = (size[1 + axis] - 1) * sliding.stride[axis] + sliding.extent(axis) + extra[axis];
        let output = match (wanted, sliding.pads) {
            (Some(wanted), _) => Some(wanted[axis]),
            (None, None) => Some((size[1 + axis] * sliding.stride[axis]).min(full)),
            (None, Some(_)) => None,
        };
        if let Some(output) = output {
            // Positions behind the last one that the kernel reaches hold the bias.
            if output >= full + sliding.stride[axis] {
                let found = format!("an output of {output} from {full} positions");
                return Err(op.fault(found, "outputs that the kernel reaches"));
            }
            let total = full.saturating_sub(output);
            wanted_sizes[axis] = Some(output);
            let less = total / 2;
            let is_upper = upper && sliding.pads.is_none();
            pads[axis] = if is_upper { [less, total - less] } else { [total - less, less] };
        } else {
            pads[axis] = sliding.amounts([1, 1])[axis];
        }
        let cut = pads[axis][0] + pads[axis][1];
        let size = wanted_sizes[axis].or_else(|| full.checked_sub(cut)).filter(|&length| length > 0);
        sizes[axis] =
            size.ok_or_else(|| op.fault(format!("pads of {cut} around {full} positions"), "at least one output"))?;
    }
    let outputs = shape[1] * groups;
    let [rows, columns] = sliding.kernel;
    let weights = grouped(op, &shape, groups, [rows, columns])?;
    let output = op.builder.lengths(&[size[0], sizes[0], sizes[1], outputs]);
    let operator = Operator::TransposeConv2d { window: sliding.window(pads), activation: Activation::None };
    let inputs = [Some(output), Some(weights), Some(image), bias(op, 2)?];
    let result =
        op.builder.push_stated(operator, &inputs, crate::net::Element::F32, &[size[0], sizes[0], sizes[1], outputs])?;
    Ok(vec![from_image(op, result, rank)?])
}

/// The weights of a transposed convolution, `[inputs, outputs of a group, kernel..]` of the file, as `[outputs, rows, columns, inputs]`; between channels of
/// different groups they are 0, since the kernel knows no groups.
fn grouped(op: &mut Op<'_>, shape: &[usize], groups: usize, [rows, columns]: [usize; 2]) -> Result<TensorId, Problem> {
    let weights = op.input(1)?;
    let (inputs, each) = (shape[0], shape[1]);
    if groups == 1 {
        return op.builder.relaid(weights, [1, 0], |builder, id| {
            let kernel = builder.reshape(id, &[inputs, each, rows, columns])?;
            builder.transpose(kernel, &[1, 2, 3, 0])
        });
    }
    let values = op.builder.reals_of(weights).ok_or_else(|| op.fault("weights that are no real numbers", "FLOAT32"))?;
    let (taps, outputs) = (rows * columns, each * groups);
    let count = outputs.checked_mul(taps).and_then(|count| count.checked_mul(inputs));
    let Some(count) = count.filter(|&count| count <= MOST_GROUPED) else {
        let found = format!("a transposed convolution of {inputs} to {outputs} channels in {groups} groups");
        return Err(op.fault(
            found,
            "at most 2^24 weights between all channels, since groups are filled up with weights of 0: fewer groups or channels, or Resize and a Conv",
        ));
    };
    let mut whole = vec![0.0; count];
    for input in 0..inputs {
        let group = input / (inputs / groups);
        for output in 0..each {
            for tap in 0..taps {
                whole[((group * each + output) * taps + tap) * inputs + input] =
                    values[(input * each + output) * taps + tap];
            }
        }
    }
    Ok(op.builder.reals(&[outputs, rows, columns, inputs], &whole))
}
