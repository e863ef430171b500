//! Stages of audio front ends: windows, FFT, filter banks, noise reduction, frames. Samples are int16, signals uint32.

use smolnn_signal as signal;

use super::Lowered;
use super::call::{Body, call};
use super::context::Context;
use crate::error::Problem;
use crate::net::{Element, SignalKind, TensorId};

pub(super) fn lower(context: &Context<'_>, kind: SignalKind) -> Result<Lowered, Problem> {
    let (id, shape) = (context.input(0)?, context.input_shape(0)?);
    let (elements, last) = (context.tensor(id).len(), shape.last().copied().unwrap_or(1));
    let expect = |element: Element| context.element(id, &[element]);
    match kind {
        SignalKind::Window { shift } => {
            expect(Element::I16)?;
            let factors = context.input(1)?;
            context.element(factors, &[Element::I16])?;
            let body = call!(signal::operators::window(shift; input<i16>(0), input<i16>(1), output<i16>(0)));
            Ok(context.call(&[id, factors], body)?.into())
        }
        SignalKind::AutoScale => {
            expect(Element::I16)?;
            let body = call!(signal::operators::auto_scale(; input<i16>(0), output<i16>(0), output<i32>(1)));
            Ok(context.call(&[id], body)?.into())
        }
        SignalKind::Fft { points } => {
            expect(Element::I16)?;
            let body = call!(signal::operators::real_fft(
                &signal::fft::RealFft::new(points), last; input<i16>(0), output<i16>(0)
            ));
            Ok(context.call(&[id], body)?.label(format!("{points} points")).into())
        }
        SignalKind::InverseFft { points } => {
            expect(Element::I16)?;
            let body = call!(signal::operators::inverse_real_fft(
                &signal::fft::RealFft::new(points); input<i16>(0), output<i16>(0)
            ));
            Ok(context.call(&[id], body)?.label(format!("{points} points")).into())
        }
        SignalKind::Energy { first, end } => {
            expect(Element::I16)?;
            let band = (first, end);
            let body = call!(signal::operators::energies(band; input<i16>(0), output<u32>(0)));
            Ok(context.call(&[id], body)?.into())
        }
        SignalKind::FilterBank { channels } => filter_bank(context, channels),
        SignalKind::SquareRoot => {
            expect(Element::U64)?;
            let shift = context.input(1)?;
            context.element(shift, &[Element::I32])?;
            let body = call!(signal::operators::square_roots(; input<u32>(0), input<i32>(1), output<u32>(0)));
            Ok(context.call(&[id, shift], body)?.into())
        }
        SignalKind::SpectralSubtraction { even, odd, remaining, smoothing_bits, share_bits, clamps } => {
            expect(Element::U32)?;
            let noise = context.state(Element::U32, elements, None)?;
            let (even, odd) = ((even[0], even[1]), (odd[0], odd[1]));
            let body = call!(signal::operators::spectral_subtraction(
                &signal::operators::SpectralSubtraction::new(even, odd, remaining, smoothing_bits, share_bits, clamps);
                state<u32>(0), input<u32>(0), output<u32>(0), output<u32>(1)
            ));
            Ok(context.call(&[id], body)?.states(&[noise]).into())
        }
        SignalKind::GainControl { ratio_shift } => {
            expect(Element::U32)?;
            let noise = context.input(1)?;
            context.element(noise, &[Element::U32])?;
            let (table, ratio_shift) = (numbers(context, 2, "table of gains")?, ratio_shift as u32);
            let body = call!(signal::operators::gain_control(
                &signal::micro::GainControl::from_table(table, ratio_shift);
                input<u32>(0), input<u32>(1), output<u32>(0)
            ));
            Ok(context.call(&[id, noise], body)?.table_bytes(size_of::<signal::micro::GainControl>()).into())
        }
        SignalKind::Logarithm { scale, correction } => {
            expect(Element::U32)?;
            let body = call!(signal::operators::logarithms(scale, correction; input<u32>(0), output<i16>(0)));
            Ok(context.call(&[id], body)?.into())
        }
        SignalKind::Stack { channels, left, right, step } => {
            expect(Element::I16)?;
            let layer = context.shape(signal::operators::Stack::new(channels, left, right, step))?;
            let states = [context.state(Element::I16, layer.numbers(), None)?, context.state(Element::I32, 2, None)?];
            let body = call!(signal::operators::stack(
                &signal::operators::Stack::new(channels, left, right, step);
                state<i16>(0), state<i32>(1), input<i16>(0), output<i16>(0), output<u8>(1)
            ));
            with_states(context, id, body, &states)
        }
        SignalKind::Delay { samples: 0 } => Ok(Lowered::Alias { input: id, output: context.output(0)? }),
        SignalKind::Delay { samples } => {
            expect(Element::I16)?;
            let state = context.state(Element::I16, elements / last * samples, None)?;
            let body = call!(signal::operators::delay(last, samples; state<i16>(0), input<i16>(0), output<i16>(0)));
            with_states(context, id, body, &[state])
        }
        SignalKind::Frame { size, step, prefill } => {
            expect(Element::I16)?;
            let rows = elements / last;
            let layer = context.shape(signal::operators::Frames::new(rows, last, size, step))?;
            let silence = if prefill { layer.silence() as i32 } else { 0 };
            let count = context.state(Element::I32, 1, Some(silence.to_le_bytes().to_vec()))?;
            let states = [context.state(Element::I16, layer.state(), None)?, count];
            let body = call!(signal::operators::frame(
                &signal::operators::Frames::new(rows, last, size, step);
                state<i16>(0), state<i32>(1), input<i16>(0), output<i16>(0), output<u8>(1)
            ));
            with_states(context, id, body, &states)
        }
        SignalKind::OverlapAdd { step } => {
            let element = context.element(id, &[Element::I16, Element::F32])?;
            let frames = shape.len().checked_sub(2).and_then(|axis| shape.get(axis)).copied().unwrap_or(1);
            let rows = elements / last / frames;
            let state = context.state(element, rows * last, None)?;
            let body = match element {
                Element::F32 => {
                    call!(signal::operators::overlap_add(rows, step; state<f32>(0), input<f32>(0), output<f32>(0)))
                }
                _ => call!(signal::operators::overlap_add(rows, step; state<i16>(0), input<i16>(0), output<i16>(0))),
            };
            if step == 0 || step > last {
                return Err(context.fault(format!("frame step {step}"), format!("1 to {last}, a frame's length")));
            }
            with_states(context, id, body, &[state])
        }
    }
}

fn with_states(context: &Context<'_>, id: TensorId, body: Body, states: &[TensorId]) -> Result<Lowered, Problem> {
    Ok(context.call(&[id], body)?.states(states).into())
}

fn filter_bank(context: &Context<'_>, channels: usize) -> Result<Lowered, Problem> {
    let id = context.input(0)?;
    context.element(id, &[Element::U32])?;
    let bins = context.tensor(id).len();
    let (weights, unweights) = (numbers(context, 1, "weights")?, numbers(context, 2, "weights of the next channel")?);
    let (first_bins, first_weights) = (numbers(context, 3, "first bins")?, numbers(context, 4, "first weights")?);
    let widths = numbers(context, 5, "widths")?;
    if widths.len() != channels + 1 {
        let found = format!("{} widths", widths.len());
        return Err(context.fault_of_input(5, found, format!("{}, one more than channels", channels + 1)));
    }
    let macs = widths.iter().map(|&width| 2 * width.max(0) as u64).sum();
    let body = call!(signal::operators::filter_bank(
        &signal::operators::Stretches::new(bins, weights, unweights, first_bins, first_weights, widths);
        input<u32>(0), output<u32>(0)
    ));
    Ok(context.call(&[id], body)?.macs(macs).label(format!("{bins}->{channels}")).into())
}

/// The values of input `index`, a constant of INT16.
fn numbers(context: &Context<'_>, index: usize, role: &str) -> Result<Vec<i16>, Problem> {
    let id = context.input(index)?;
    context.element(id, &[Element::I16])?;
    let bytes = context.constant(id, role)?;
    Ok(bytes.as_chunks().0.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect())
}
