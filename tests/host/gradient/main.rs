//! What learns: every gradient against central differences, losses and optimisers against their definitions, and networks
//! that are trained.

mod activations;
mod layers;
mod recurrent;
mod speakers;
mod training;
