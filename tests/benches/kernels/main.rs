//! Wall-clock time of every kernel and shape that the firmware's `bench` counts the instructions of, on this machine, beside
//! what one would write or take instead: plain loops, `libm`, `micromath`, `microfft`.
//!
//! `cargo bench -p benches [-- FILTER]`; `-- --test` runs each once. The build is that of the host, whose
//! backend is the portable one: it says how far the specification is from naive code, not how fast a microcontroller is.
//! These are reports: no test asserts a time.

// The kernels and shapes themselves, from the source of the firmware: there is one list.
#[path = "../../firmware/src/kernels/mod.rs"]
mod kernels;
mod naive;

use criterion::{Criterion, Throughput};
use kernels::{Meter, Work};
use std::time::Duration;

struct Stopwatch {
    criterion: Criterion,
}

impl Meter for Stopwatch {
    fn wants(&self, _name: &str) -> bool {
        true
    }

    fn kernel(&mut self, name: &'static str, shape: &'static str, work: Work, call: &mut dyn FnMut()) {
        // Peers that the list itself has stand beside their kernel.
        let peer = ["libm", "micromath", "microfft"].into_iter().find_map(|peer| {
            let name = name.strip_suffix(peer)?.strip_suffix('_')?;
            Some((name, peer))
        });
        let (kernel, function) = peer.unwrap_or((name, "smolnn"));
        let mut group = self.criterion.benchmark_group(format!("{kernel}/{shape}"));
        let units = match work {
            Work::Macs(macs) => macs,
            Work::Elements(elements) => elements as u64,
        };
        group.throughput(Throughput::Elements(units));
        group.bench_function(function, |bencher| bencher.iter(&mut *call));
        for (peer, mut call) in naive::competitors(name, shape) {
            group.bench_function(peer, |bencher| bencher.iter(&mut call));
        }
        group.finish();
    }

    fn skip(&mut self, name: &'static str, shape: &'static str, reason: &'static str) {
        panic!("{name} {shape}: {reason}");
    }
}

fn main() {
    let criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    let mut stopwatch = Stopwatch { criterion };
    kernels::all(&mut stopwatch);
    stopwatch.criterion.final_summary();
}
