//! What several of the firmware's programs share: kernels and models to be measured, tested, and linked for the panic check.
#![no_std]

pub mod kernels;
pub mod models;

/// A program that runs the model of a compiled module once and says how deep the stack went. Nothing in it formats or panics.
#[macro_export]
macro_rules! model_alone {
    ($module:path) => {
        use $module as module;

        board::entry!(run);

        fn run() -> board::Exit {
            let Some(model) = board::taken!(module::Model, module::Model::new()) else { return board::Exit::Fail };
            let stack = board::stack::high_water(core::hint::black_box(&mut || model.run()));
            board::print_number(c"stack ", stack);
            board::Exit::Pass
        }
    };
}

/// A program for a model that is not there: the golden data are absent.
#[macro_export]
macro_rules! model_absent {
    () => {
        board::entry!(run);

        fn run() -> board::Exit {
            board::print_plain(c"the golden model is absent\n");
            board::Exit::Fail
        }
    };
}
