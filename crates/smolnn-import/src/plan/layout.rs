//! What needs memory, the tensors as items of the plan, and the steps once everything has a place.

use std::collections::HashMap;
use std::ops::Range;

use smolnn_fixed::Backend;

use super::band::{Every, Line, Progress};
use super::divide::Segment;
use super::place::{Item, Placement};
use super::placed::{Moved, Placed, common};
use super::program::{Aim, ArenaUse, Block, ImageRows, InputRows, OutputRows, Purpose, Step};
use super::turns::Turns;
use crate::error::{Error, Problem, Result};
use crate::lower::{Io, Lowering, Operand, Place, RowLowering, Storage};
use crate::net::{Constant, Element, Net, Tensor, TensorId};

/// What needs memory: the tensors that lie in the arena, as items of the plan.
pub(super) struct Layout<'a> {
    pub net: &'a Net,
    pub backend: Backend,
    pub roots: &'a [TensorId],
    /// Item of each root in the arena.
    pub items: HashMap<TensorId, usize>,
    pub bytes: Vec<usize>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// Roots of the states, in order of first use.
    pub states: Vec<TensorId>,
    /// The item of the input, where it comes row by row.
    pub pushed: Option<usize>,
    /// The item of the output, where it is given row by row. It is none of the outputs then: nobody needs it behind the stage that makes it.
    pub given: Option<usize>,
    /// The inputs, where they are read where the caller has them.
    pub lent: Vec<TensorId>,
}

/// The memory of the states.
pub(super) struct States {
    /// Byte offset of each.
    pub places: HashMap<TensorId, usize>,
    /// Word ranges that do not start from 0, and what they start from.
    pub values: Vec<(Range<usize>, u32)>,
    pub words: usize,
}

impl<'a> Layout<'a> {
    /// # Errors
    /// [`Error::Unsupported`] when the input is to come, or the output to be given, row by row and is no single image of several rows.
    pub(super) fn new(
        (net, backend): (&'a Net, Backend),
        calls: &[Lowering],
        roots: &'a [TensorId],
        aim: Aim,
    ) -> Result<Self> {
        let mut layout = Self {
            net,
            backend,
            roots,
            items: HashMap::new(),
            bytes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            states: Vec::new(),
            pushed: None,
            given: None,
            lent: if aim.is_lent { net.inputs.clone() } else { Vec::new() },
        };
        if net.outputs.iter().any(|&id| layout.lent.contains(&roots[id])) {
            let found = Problem::model("an output that is an input", "inputs in place where every output is computed");
            return Err(Error::Unsupported(vec![found]));
        }
        layout.inputs = net.inputs.iter().filter_map(|&id| layout.item(id)).collect();
        for Lowering { call, .. } in calls {
            for &id in call.inputs.iter().chain(&call.outputs) {
                layout.item(id);
            }
            for &id in &call.states {
                if !layout.states.contains(&id) {
                    layout.states.push(id);
                }
            }
        }
        layout.outputs = net.outputs.iter().filter_map(|&id| layout.item(id)).collect();
        if aim.is_pushed {
            layout.pushed = Some(layout.image(&net.inputs, "input")?);
        }
        if aim.is_given {
            let given = layout.image(&net.outputs, "output")?;
            let is_made = |Lowering { call, .. }: &Lowering| layout.items_of(&call.outputs).contains(&given);
            if !calls.iter().any(is_made) {
                return Err(not_by_rows("an output that no layer makes".into(), "output"));
            }
            layout.outputs.clear();
            layout.given = Some(given);
        }
        Ok(layout)
    }

    /// The item of a tensor, made at its first use; `None` for constants and for what lies in the memory of the states.
    pub(super) fn item(&mut self, id: TensorId) -> Option<usize> {
        let root = self.roots[id];
        let tensor = &self.net.tensors[root];
        if tensor.data.is_some() || tensor.variable || self.lent.contains(&root) {
            return None;
        }
        if let Some(&item) = self.items.get(&root) {
            return Some(item);
        }
        self.items.insert(root, self.bytes.len());
        self.bytes.push(tensor.bytes());
        Some(self.bytes.len() - 1)
    }

    /// The item of the input or output that comes or is given row by row.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there are several of them, or one that is no image of several rows.
    fn image(&self, ids: &[TensorId], what: &str) -> Result<usize> {
        let &[id] = ids else { return Err(not_by_rows(format!("{} {what}s", ids.len()), what)) };
        let shape = &self.net.tensors[id].shape;
        let item =
            self.items.get(&self.roots[id]).copied().filter(|_| matches!(shape[..], [1, rows, _, _] if rows > 1));
        item.ok_or_else(|| not_by_rows(format!("an {what} of shape {shape:?}"), what))
    }

    /// How the input comes row by row, where it does.
    pub(super) fn input_rows(&self, placed: &Placed) -> Option<InputRows> {
        let item = self.pushed?;
        let image = self.whole_image(*self.net.inputs.first()?, item, placed)?;
        let Segment { calls, band, .. } = placed.segments.first()?;
        let Some((progress, line)) = band.as_ref().and_then(|band| band.input(calls.len())) else {
            return Some(InputRows { image, moves: None });
        };
        let moves = placed.buffer(item).and_then(|buffer| buffer.brought(&placed.placement));
        Some(InputRows { image: image.by_rows(progress, line, 0), moves })
    }

    /// How the output is given row by row, where it is.
    pub(super) fn output_rows(&self, calls: &[Lowering], placed: &Placed) -> Option<OutputRows> {
        let item = self.given?;
        let image = self.whole_image(*self.net.outputs.first()?, item, placed)?;
        let makes = |&index: &usize| self.items_of(&calls[index].call.outputs).contains(&item);
        let position = placed.order.iter().rposition(makes)?;
        let stage = placed.segments.iter().position(|segment| segment.calls.contains(&position))?;
        let Segment { calls: range, band, .. } = &placed.segments[stage];
        let by_rows = band.as_ref().and_then(|band| {
            let index = position - range.start;
            Some((&band.progress[index], band.lines[index].as_ref()?))
        });
        let Some((progress, line)) = by_rows else {
            let turns = band.as_ref().map_or(1, |band| band.turns);
            return Some(OutputRows { image, stage, turns: Every { range: turns - 1..turns, period: 1 } });
        };
        let turns = progress.turns();
        Some(OutputRows { image: image.by_rows(progress, line, turns.range.start), stage, turns })
    }

    /// The rows of an input or output that lies whole in the arena.
    fn whole_image(&self, id: TensorId, item: usize, placed: &Placed) -> Option<ImageRows> {
        let tensor = &self.net.tensors[id];
        let height = *tensor.shape.get(1)?;
        let start = placed.placement.offsets[item] / 4;
        let words = start..start + placed.items[item].bytes.div_ceil(4);
        Some(ImageRows { height, row: tensor.len() / height, rate: height, lead: height, capacity: height, words })
    }

    /// What lies in the arena, tensors first.
    pub(super) fn blocks(&self, placed: &Placed) -> Vec<Block> {
        let mut tensors: Vec<(usize, TensorId)> = self.items.iter().map(|(&root, &item)| (item, root)).collect();
        tensors.sort_unstable();
        let purpose = |(item, root): (usize, TensorId)| match self.net.tensors[root].shape[..] {
            [1, rows, ..] if placed.items[item].bytes != self.bytes[item] => {
                let row = self.bytes[item] / rows;
                Purpose::Rows(root, placed.items[item].bytes.checked_div(row).unwrap_or(0))
            }
            _ => Purpose::Tensor(root),
        };
        let purposes = tensors.iter().copied().map(purpose).chain((0..placed.order.len()).map(Purpose::Scratch));
        let block = |(purpose, (item, &offset)): (Purpose, (&Item, &usize))| Block {
            purpose,
            bytes: offset..offset + item.bytes,
            moments: item.first..item.last + 1,
        };
        let of_items = purposes.zip(placed.items.iter().zip(&placed.placement.offsets)).map(block);
        let resting = placed.buffers.iter().flat_map(|buffer| {
            let bytes = buffer.rest(&placed.placement);
            let root = tensors.iter().find(|&&(item, _)| item == buffer.item).map(|&(_, root)| root);
            let rows = root.and_then(|root| {
                Some((root, bytes.len() / (self.bytes[buffer.item] / self.net.tensors[root].shape.get(1)?)))
            });
            let moments = buffer.rest.iter().flat_map(|(_, moments)| moments.clone());
            let moments: Vec<_> = moments.collect();
            rows.into_iter().flat_map(move |(root, rows)| {
                let (bytes, moments) = (bytes.clone(), moments.clone());
                moments.into_iter().map(move |moments| Block {
                    purpose: Purpose::Rows(root, rows),
                    bytes: bytes.clone(),
                    moments,
                })
            })
        });
        let moved = placed.moved.iter().filter_map(|(&item, Moved { place, moments, .. })| {
            let &(_, root) = tensors.iter().find(|&&(other, _)| other == item)?;
            let start = placed.placement.offsets[*place];
            let bytes = start..start + placed.items[item].bytes;
            Some(Block { purpose: Purpose::Tensor(root), bytes, moments: moments.clone() })
        });
        let blocks = of_items.chain(resting).chain(moved);
        blocks.filter(|block| !block.bytes.is_empty() && !block.moments.is_empty()).collect()
    }

    pub(super) fn items_of(&self, ids: &[TensorId]) -> Vec<usize> {
        ids.iter().filter_map(|&id| self.items.get(&self.roots[id]).copied()).collect()
    }

    /// Places, initial values and size of the states, one behind the other.
    pub(super) fn states(&self) -> States {
        let mut states = States { places: HashMap::new(), values: Vec::new(), words: 0 };
        for &id in &self.states {
            let tensor = &self.net.tensors[id];
            let end = states.words + tensor.bytes().div_ceil(4);
            states.places.insert(id, states.words * 4);
            for (word, index) in start_of_state(tensor).into_iter().zip(states.words..end) {
                match states.values.last_mut() {
                    // Words of one value are one range.
                    Some((range, value)) if range.end == index && *value == word => range.end += 1,
                    _ if word != 0 => states.values.push((index..index + 1, word)),
                    _ => {}
                }
            }
            states.words = end;
        }
        states
    }

    /// The byte offset of each tensor that lies in the arena.
    pub(super) fn offsets(&self, placement: &Placement) -> HashMap<TensorId, usize> {
        let of_lent = self.lent.iter().scan(placement.bytes, |offset, &id| {
            let own = *offset;
            *offset += self.net.tensors[id].bytes().next_multiple_of(4);
            Some((id, own))
        });
        let of_lent: HashMap<TensorId, usize> = of_lent.collect();
        let offset = |id: TensorId| {
            let root = self.roots[id];
            let offset = self.items.get(&root).map(|&item| placement.offsets[item]);
            Some((id, offset.or_else(|| of_lent.get(&root).copied())?))
        };
        (0..self.net.tensors.len()).filter_map(offset).collect()
    }

    /// A tensor with its place.
    pub(super) fn operand(&self, id: TensorId, states: &States, offsets: &HashMap<TensorId, usize>) -> Result<Operand> {
        let tensor = &self.net.tensors[id];
        let place = match (&self.net.tensors[self.roots[id]].data, states.places.get(&self.roots[id]), offsets.get(&id))
        {
            (Some(data), ..) => Some(Place::Constant(constant_words(data))),
            (_, Some(&offset), _) => Some(Place::State(offset)),
            (_, _, Some(&offset)) => {
                let lent = self.lent.iter().position(|&input| input == self.roots[id]);
                Some(lent.map_or(Place::Arena(offset), |input| Place::Lent { input, offset }))
            }
            (None, None, None) => None,
        };
        match (place, Storage::within(tensor)) {
            (Some(place), Some((storage, length))) => Ok(Operand { place, storage, length, part: None }),
            _ => {
                // Lowering checked the element types, and every tensor of a call has an item.
                debug_assert!(false, "tensor {id} has no place");
                let found = format!("tensor {id} of {} without a place", tensor.element);
                Err(Error::Unsupported(vec![Problem::model(found, "INT8, UINT8, INT16, INT32, FLOAT32")]))
            }
        }
    }

    /// The calls of bands by rows, by their positions in the order.
    ///
    /// # Errors
    /// The first call of which some rows cannot be made by a single kernel with the constants of all others.
    pub(super) fn by_rows(
        &self,
        calls: &[Lowering],
        placed: &Placed,
        rows: &mut RowLowering,
    ) -> std::result::Result<HashMap<usize, Turns>, usize> {
        let mut all = HashMap::new();
        for Segment { calls: range, band, .. } in &placed.segments {
            let Some(band) = band else { continue };
            let indices = &placed.order[range.clone()];
            let mut made: Vec<TensorId> = indices.iter().flat_map(|&index| calls[index].call.outputs.clone()).collect();
            if band.input(range.len()).is_some() {
                made.extend(&self.net.inputs);
            }
            for (place, &index) in indices.iter().enumerate() {
                let turns = Turns::new(self.net, &calls[index], (band, &made, place), rows).ok_or(index)?;
                all.insert(range.start + place, turns);
            }
        }
        Ok(all)
    }

    pub(super) fn steps(
        &self,
        calls: Vec<Lowering>,
        placed: &Placed,
        mut by_rows: HashMap<usize, Turns>,
        uses: &[ArenaUse],
        states: &States,
        offsets: &HashMap<TensorId, usize>,
    ) -> Result<Vec<Step>> {
        let Placed { order, segments, items, placement, overlaps, common, .. } = placed;
        let mut calls: Vec<Option<Lowering>> = calls.into_iter().map(Some).collect();
        let mut steps = Vec::with_capacity(order.len());
        for Segment { calls: range, .. } in segments {
            for position in range.clone() {
                let Some(Lowering { node, mut call }) = calls[order[position]].take() else {
                    debug_assert!(false, "call {} comes twice in the order", order[position]);
                    continue;
                };
                let moment = position + 1;
                // The input that the output overlaps, if the plan has them so, and the bytes that they have in common.
                let shared = overlaps.get(&position).and_then(|&(index, overlap)| {
                    let range = |start: usize, item: usize| start..start + items[item].bytes;
                    let input = range(placed.offset(overlap.input, position), overlap.input);
                    let common = self::common(input, range(placement.offsets[overlap.output], overlap.output));
                    (common > 0).then_some((index, common))
                });
                if let Some((1, _)) = shared
                    && let Some(exchanged) = call.exchanged.take()
                {
                    call.inputs.swap(0, 1);
                    call.gaps.swap(0, 1);
                    call.body = exchanged;
                }
                let operands = |ids: &[TensorId]| {
                    ids.iter().map(|&id| self.operand(id, states, offsets)).collect::<Result<Vec<_>>>()
                };
                let scratch = placement.offsets[self.bytes.len() + position] / 4;
                let (mut inputs, outputs) = (operands(&call.inputs)?, operands(&call.outputs)?);
                for (input, id) in inputs.iter_mut().zip(&call.inputs) {
                    if let (Place::Arena(offset), Some(&item)) = (&mut input.place, self.items.get(&self.roots[*id])) {
                        *offset = placed.offset(item, position);
                    }
                }
                let scratch = scratch..scratch + call.scratch_words;
                let by_rows = by_rows
                    .remove(&position)
                    .map(|turns| turns.placed(&inputs, &outputs, &scratch, placed.moves(position)));
                let io = Io::new(inputs, outputs, operands(&call.states)?, scratch, shared.is_some());
                let mut memory = uses[moment];
                memory.live -= shared.map_or(0, |(_, common)| common);
                memory.live -= common.get(&range.start).copied().unwrap_or(0);
                steps.push(Step { node, call, io, by_rows, moved: placed.moved(position), memory });
            }
        }
        Ok(steps)
    }
}

impl ImageRows {
    /// The same image in a buffer of its newest rows, of which the first ones are there behind a turn of the band.
    fn by_rows(self, progress: &Progress, line: &Line, turn: usize) -> Self {
        let (rate, lead) = (progress.rate, progress.reach(turn));
        debug_assert!((1..=rate as isize).contains(&lead), "the image's first rows are there behind the turn");
        Self { rate, lead: lead.unsigned_abs(), capacity: line.capacity, ..self }
    }
}

/// Why an input or output does not come or go row by row.
fn not_by_rows(found: String, what: &str) -> Error {
    let supported = format!(
        "{what} by rows for models with one {what} of shape [1, rows, columns, channels] and at least two rows"
    );
    Error::Unsupported(vec![Problem::model(found, supported)])
}

/// The words that a state starts from: what is stated, or real 0, which is the zero point of int8; wider types have zero point 0.
fn start_of_state(tensor: &Tensor) -> Vec<u32> {
    if let Some(start) = &tensor.start {
        return constant_words(start);
    }
    let zero_points = tensor.quantisation.as_ref().map(|quantisation| &quantisation.zero_points[..]);
    let byte = match zero_points {
        Some(&[zero_point, ..]) if tensor.element == Element::I8 => zero_point as i8 as u8,
        _ => 0,
    };
    vec![u32::from_le_bytes([byte; 4]); tensor.bytes().div_ceil(4)]
}

/// The bytes of a constant as whole words.
fn constant_words(data: &Constant) -> Vec<u32> {
    data.bytes()
        .chunks(4)
        .map(|chunk| {
            let mut bytes = [0; 4];
            bytes[..chunk.len()].copy_from_slice(chunk);
            u32::from_le_bytes(bytes)
        })
        .collect()
}
