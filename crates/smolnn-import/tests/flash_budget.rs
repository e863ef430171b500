//! Layers that take fewer cycles and more flash are chosen within a budget: no more than it, those first that gain most per byte, and on no
//! backend that has none of them.

use std::path::{Path, PathBuf};

use smolnn_import::{Backend, Model, Program};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The project's own models, and the golden ones where they are.
fn models() -> Vec<Model> {
    let folders = [root().join("tests/data/converter"), root().join("../shared/golden/models")];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path().join("model.tflite")).collect();
    files.sort();
    files.iter().filter(|file| file.is_file()).filter_map(|file| Model::open(file).ok()).collect()
}

fn compiled(model: &Model, backend: Backend) -> Program {
    model.compile(backend).expect("the model compiles")
}

/// Layers by Winograd's products.
fn winograd_layers(program: &Program) -> usize {
    ["Dsp", "V7m", "V6m", "Rv32"]
        .map(|backend| program.source().matches(&format!("Layout::{backend}Winograd")).count())
        .iter()
        .sum()
}

/// The backends that have layers by Winograd's products.
const CHOOSING: [Backend; 4] = [Backend::Dsp, Backend::V7m, Backend::V6m, Backend::Rv32];

#[test]
fn constants_grow_within_the_budget() {
    for backend in CHOOSING {
        constants_grow_within_the_budget_of(backend);
    }
}

fn constants_grow_within_the_budget_of(backend: Backend) {
    let mut layers = 0;
    for model in models() {
        if model.compile(backend).is_err() {
            continue;
        }
        let with = |bytes: usize| compiled(&model.clone().flash_budget(bytes), backend);
        let (least, most) = (with(0), with(usize::MAX));
        assert_eq!(winograd_layers(&least), 0, "{}", model.name());
        let grown = most.constant_bytes() - least.constant_bytes();
        assert_eq!(grown > 0, winograd_layers(&most) > 0, "{}", model.name());
        layers += winograd_layers(&most);
        // Just enough for all, one byte less, and a part.
        assert_eq!(with(grown).source(), most.source());
        for budget in [grown.saturating_sub(1), grown / 2, grown / 8] {
            let program = with(budget);
            assert!(program.constant_bytes() <= least.constant_bytes() + budget, "{}: {budget}", model.name());
            if grown > 0 {
                assert!(winograd_layers(&program) < winograd_layers(&most), "{}: {budget}", model.name());
            }
        }
        let usual = compiled(&model, backend);
        let allowed = (128 << 10).min(2 * least.constant_bytes());
        assert!(usual.constant_bytes() <= least.constant_bytes() + allowed, "{}", model.name());
        if grown > 0 {
            println!(
                "{} on {}: {} bytes without, {} by itself with {} layers, {} with {}; arena {}, {}, {}",
                model.name(),
                backend.name(),
                least.constant_bytes(),
                usual.constant_bytes(),
                winograd_layers(&usual),
                most.constant_bytes(),
                winograd_layers(&most),
                least.arena_bytes(),
                usual.arena_bytes(),
                most.arena_bytes()
            );
        }
    }
    assert!(layers > 0, "no model has a layer that Winograd's products serve on {}", backend.name());
}

/// Where the arena is bounded, layers grow as far as it has room for their scratch memory: never at the arena's cost, and never beyond the flash budget.
#[test]
fn constants_grow_where_the_arena_has_room() {
    let mut grown = 0;
    for model in models() {
        for backend in [Backend::Dsp, Backend::V6m] {
            // Planning takes its time: only models that have a choice.
            let most = model.clone().flash_budget(usize::MAX).compile(backend);
            if !most.is_ok_and(|most| winograd_layers(&most) > 0) {
                continue;
            }
            let small = compiled(&model.clone().flash_budget(0).least_arena(), backend);
            let least = compiled(&model.clone().least_arena(), backend);
            assert_eq!(least.arena_bytes(), small.arena_bytes(), "{} on {}", model.name(), backend.name());
            let whole = compiled(&model.clone().flash_budget(0), backend);
            let between = (small.arena_bytes() + whole.arena_bytes()) / 2;
            let within = compiled(&model.clone().arena_budget(between), backend);
            assert!(within.arena_bytes() <= between, "{} on {}", model.name(), backend.name());
            let some = compiled(&model.clone().arena_budget(between).flash_budget(20_000), backend);
            assert!(some.arena_bytes() <= between, "{} on {}", model.name(), backend.name());
            assert!(some.constant_bytes() <= whole.constant_bytes() + 20_000, "{} on {}", model.name(), backend.name());
            assert!(winograd_layers(&some) <= winograd_layers(&within), "{} on {}", model.name(), backend.name());
            if winograd_layers(&within) > 0 {
                let (layers, bytes) = (winograd_layers(&within), within.constant_bytes());
                println!("{} on {}: {layers} layers, {bytes} bytes", model.name(), backend.name());
            }
            grown += winograd_layers(&within);
        }
    }
    assert!(grown > 0, "no model has a layer that grows within an arena");
}

#[test]
fn other_backends_have_nothing_to_choose() {
    for model in models() {
        for backend in Backend::ALL.into_iter().filter(|backend| !CHOOSING.contains(backend)) {
            let Ok(usual) = model.compile(backend) else { continue };
            let most = compiled(&model.clone().flash_budget(usize::MAX), backend);
            assert_eq!(most.source(), usual.source(), "{} on {}", model.name(), backend.name());
        }
    }
}
