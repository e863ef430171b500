//! The backends, and which one a target gets. This file is also compiled into the build script.

/// A set of kernels and the layout of weights they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Safe Rust for any target: the specification of all others.
    Portable,
    /// Arm v7E-M, and v8-M with the DSP extension: two 16-bit products per instruction.
    Dsp,
    /// Arm v8.1-M with Helium (Cortex-M55, M85).
    Helium,
    /// Arm v7-M (Cortex-M3) and v8-M without DSP: a 32-bit multiply-accumulate.
    V7m,
    /// Arm v6-M (Cortex-M0, M0+) and v8-M baseline (M23): a 32-bit multiply, eight low registers.
    V6m,
    /// 32-bit RISC-V with M: 31 registers.
    Rv32,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 6] = [Self::Portable, Self::Dsp, Self::Helium, Self::V7m, Self::V6m, Self::Rv32];

    /// The name that `--cfg smolnn_backend="…"` and the command line take.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Dsp => "dsp",
            Self::Helium => "helium",
            Self::V7m => "v7m",
            Self::V6m => "v6m",
            Self::Rv32 => "rv32",
        }
    }

    /// The folder of its bodies: cores that multiply one pair of numbers at a time share theirs.
    pub const fn bodies(self) -> &'static str {
        match self {
            Self::V7m | Self::V6m | Self::Rv32 => "scalar",
            _ => self.name(),
        }
    }

    /// The backend of the given name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The backend for a target triple and the compiler's flags as cargo gives them to build scripts in
    /// `CARGO_ENCODED_RUSTFLAGS` (separated by the byte 0x1f).
    pub fn for_target(target: &str, encoded_flags: &str) -> Self {
        let flags = || encoded_flags.split('\u{1f}').flat_map(|flag| flag.split_whitespace());
        let mut forced = flags().filter_map(|flag| {
            let (_, value) = flag.split_once("smolnn_backend=")?;
            Self::from_name(value.trim_matches(['"', '\\']))
        });
        if let Some(backend) = forced.next_back() {
            return backend;
        }
        let cpu = flags().filter_map(|flag| Some(flag.split_once("target-cpu=")?.1)).next_back().unwrap_or("");
        match target.split('-').next().unwrap_or("") {
            "thumbv7em" => Self::Dsp,
            "thumbv7m" => Self::V7m,
            "thumbv6m" | "thumbv8m.base" => Self::V6m,
            "thumbv8m.main" => match cpu {
                "cortex-m55" | "cortex-m85" | "cortex-m52" => Self::Helium,
                "cortex-m33" | "cortex-m35p" | "star-mc1" => Self::Dsp,
                _ => Self::V7m,
            },
            arch if arch.starts_with("riscv32im") => Self::Rv32,
            _ => Self::Portable,
        }
    }
}
