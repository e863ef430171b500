//! Runs the model that the package was built for once, and says how deep the stack went. Nothing in it formats or panics.
#![no_std]
#![no_main]

#[cfg(model)]
smolnn::include_model!(model);

board::lean_entry!(run);

#[cfg(model)]
fn run() -> board::Exit {
    let Some(model) = board::taken!(model::Model, model::Model::new()) else { return board::Exit::Fail };
    let stack = board::stack::high_water(core::hint::black_box(&mut || model.run()));
    board::print_number(c"stack ", stack);
    board::Exit::Pass
}

/// Without a model: what start-up and the stack gauge take.
#[cfg(not(model))]
fn run() -> board::Exit {
    let stack = board::stack::high_water(core::hint::black_box(&mut || {}));
    board::print_number(c"stack ", stack);
    board::Exit::Pass
}
