//! Functions and shapes that are small enough for all of their inputs, or for a fine grid of them.

mod accuracy;
mod activation_tables;
mod q;
mod q15;
mod shapes;
mod softmax;
