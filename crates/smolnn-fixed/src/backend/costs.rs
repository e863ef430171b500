//! What convolutions 3×3 of stride 1 cost, fitted to tests/expected: `cargo xtask bench --bless` and `cargo xtask cycles --bless` write this
//! file, a test of xtask holds it. By it the importer chooses the layers that take Winograd's products.
#![forbid(unsafe_code)]

use super::winograd::Costs;
use crate::Backend;

/// The costs on the cores of a backend; `None` where it has no Winograd's products.
pub(crate) const fn of(backend: Backend) -> Option<Costs> {
    Some(match backend {
        Backend::Dsp => Costs { direct: [1053, 41729], winograd: [1028, 15351, 207870], tiles: 3 },
        Backend::V7m => Costs { direct: [2488, 54649], winograd: [3177, 0, 460520], tiles: 4 },
        Backend::V6m => Costs { direct: [3100, 116240], winograd: [4649, 95427, 775190], tiles: 4 },
        Backend::Rv32 => Costs { direct: [2192, 44370], winograd: [2541, 26876, 339220], tiles: 4 },
        _ => return None,
    })
}
