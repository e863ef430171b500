//! Rewrites a net into one that computes the same with less: a list of small passes, run in order.

mod constant_channels;
mod drop_renames;
mod drop_unused;
mod fold_affine;
mod fold_constants;
mod fuse_activations;
mod fuse_dilation;
mod fuse_gelu;
mod fuse_padding;
mod fuse_quantised;
mod fuse_repeats;
mod group_of_one;
mod keep_state;
mod layouts;
mod narrow_positions;
mod real_constants;
mod recurrent_loops;
mod slide_variables;
mod split_channels;
mod split_width;
mod unroll_loops;
mod uses;

use crate::net::{Net, TensorId};
pub(crate) use drop_renames::drop_renames;
pub(crate) use fold_affine::{fold_before, fold_behind};
pub(crate) use fuse_activations::fuse_activations;
pub(crate) use keep_state::keep_state;
pub(crate) use split_width::{Candidate, WidthSplit, candidates};
pub(crate) use uses::Uses;

/// A pass: its name, and what it does to a net.
struct Pass {
    name: &'static str,
    apply: fn(&mut Net),
}

/// All passes, in the order in which they run.
const PASSES: &[Pass] = &[
    Pass { name: "fold_constants", apply: fold_constants::apply },
    Pass { name: "recurrent_loops", apply: recurrent_loops::apply },
    Pass { name: "unroll_loops", apply: unroll_loops::apply },
    Pass { name: "fold_constants", apply: fold_constants::apply },
    Pass { name: "drop_unused", apply: drop_unused::apply },
    Pass { name: "real_constants", apply: real_constants::apply },
    Pass { name: "group_of_one", apply: group_of_one::apply },
    Pass { name: "fuse_dilation", apply: fuse_dilation::apply },
    Pass { name: "fuse_padding", apply: fuse_padding::apply },
    Pass { name: "fuse_repeats", apply: fuse_repeats::apply },
    Pass { name: "narrow_positions", apply: narrow_positions::apply },
    Pass { name: "slide_variables", apply: slide_variables::apply },
    Pass { name: "drop_unused", apply: drop_unused::apply },
];

/// Passes for nets of formats that have channels in front and no fused operators, which run before the others.
const CHANNELS_FIRST: &[Pass] = &[
    Pass { name: "fuse_gelu", apply: fuse_gelu::apply },
    Pass { name: "drop_unused", apply: drop_unused::apply },
    Pass { name: "fuse_activations", apply: fuse_activations },
    Pass { name: "fuse_quantised", apply: fuse_quantised::apply },
    Pass { name: "layouts", apply: layouts::apply },
    Pass { name: "drop_unused", apply: drop_unused::apply },
    Pass { name: "fold_behind", apply: fold_behind },
    Pass { name: "fuse_activations", apply: fuse_activations },
    Pass { name: "drop_renames", apply: drop_renames },
];

/// Runs passes in their order.
fn run(passes: &[Pass], net: &mut Net) {
    for pass in passes {
        (pass.apply)(net);
        debug_assert!(net.check_flow().is_ok(), "{} breaks the flow of the net", pass.name);
    }
}

/// Runs the passes for nets with channels in front.
pub(crate) fn rewrite_channels_first(net: &mut Net) {
    run(CHANNELS_FIRST, net);
}

/// Gives the model's inputs their channels last, where a transpose of the net is not needed then, and where they have one channel.
pub(crate) fn channels_last_inputs(net: &mut Net) {
    layouts::channels_last_inputs(net);
    debug_assert!(net.check_flow().is_ok(), "channels_last_inputs breaks the flow of the net");
}

/// Gives the model's outputs their channels last, where a transpose of the net is not needed then, and where they have one channel.
pub(crate) fn channels_last_outputs(net: &mut Net) {
    layouts::channels_last_outputs(net);
    debug_assert!(net.check_flow().is_ok(), "channels_last_outputs breaks the flow of the net");
}

/// Runs all passes.
pub(crate) fn rewrite(net: &mut Net) {
    run(PASSES, net);
}

/// Splits layers into groups of channels where more than `most` bytes would be in memory between two of them, so that it is no more than `group` bytes, as far
/// as that goes; gives whether there are such layers.
pub(crate) fn split_channels(net: &mut Net, most: usize, group: usize) -> bool {
    let is_split = split_channels::apply(net, (most, group), false);
    debug_assert!(net.check_flow().is_ok(), "split_channels breaks the flow of the net");
    is_split
}

/// Splits convolutions of which a mean over the image is all that is needed into groups of channels, where more than `most` bytes would be in memory between the two.
pub(crate) fn split_means(net: &mut Net, most: usize) {
    split_channels::apply(net, (most, most), true);
    debug_assert!(net.check_flow().is_ok(), "split_channels breaks the flow of the net");
}

/// The most bytes below a limit that are in memory between two layers which [`split_channels`] can split.
pub(crate) fn channels_between(net: &Net, below: usize) -> Option<usize> {
    split_channels::largest(net, below)
}

/// Splits the layers between a position and a tensor into parts along the width, as many of them as go by columns; `None` where that is not possible.
pub(crate) fn split_width(net: &mut Net, (start, end): (usize, TensorId), parts: usize) -> Option<WidthSplit> {
    let chain = split_width::chain(net, start, end)?;
    let split = split_width::apply(net, &chain, parts);
    debug_assert!(net.check_flow().is_ok(), "split_width breaks the flow of the net");
    split
}

/// Takes out channels that cannot change or that nothing needs: the last pass, and one that a model can do without.
pub(crate) fn take_out_constant_channels(net: &mut Net) {
    constant_channels::apply(net);
    debug_assert!(net.check_flow().is_ok(), "constant_channels breaks the flow of the net");
}
