//! The one list of backends, of their names and of the cores that have them. The crate's build script compiles this file too.

/// A set of integer kernels, and the layouts of weights that they read.
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

    /// The cores that it is for, in a few words.
    pub const fn cores(self) -> &'static str {
        match self {
            Self::Portable => "any core",
            Self::Dsp => "Cortex-M4, M7, M33",
            Self::Helium => "Cortex-M55, M85",
            Self::V7m => "Cortex-M3",
            Self::V6m => "Cortex-M0, M0+, M23",
            Self::Rv32 => "RISC-V of 32 bits that multiplies",
        }
    }

    /// The backend of the given name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// The backend for a target triple and the compiler's flags, see [`Target::new`].
    pub fn for_target(triple: &str, encoded_flags: &str) -> Self {
        Target::new(triple, encoded_flags).backend()
    }

    /// The folder of its bodies: cores that multiply one pair of numbers at a time share theirs.
    pub const fn bodies(self) -> &'static str {
        match self {
            Self::V7m | Self::V6m | Self::Rv32 => "scalar",
            _ => self.name(),
        }
    }
}

/// The cores of `thumbv8m.main` that have more than the triple says, by the name that `-C target-cpu` takes.
const CORES: [(&str, Backend); 6] = [
    ("cortex-m33", Backend::Dsp),
    ("cortex-m35p", Backend::Dsp),
    ("star-mc1", Backend::Dsp),
    ("cortex-m52", Backend::Helium),
    ("cortex-m55", Backend::Helium),
    ("cortex-m85", Backend::Helium),
];

/// What a target has, as far as kernels choose their bodies by it. Stable Rust shows no target features on bare-metal Arm, so
/// that the triple and the compiler's flags have to tell.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    triple: &'a str,
    cpu: &'a str,
    forced: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Of a target triple and the compiler's flags as cargo gives them to build scripts in `CARGO_ENCODED_RUSTFLAGS`
    /// (separated by the byte 0x1f). Of `-C target-cpu=…` and of `--cfg smolnn_backend="…"` the last one counts.
    pub fn new(triple: &'a str, encoded_flags: &'a str) -> Self {
        let last = |name: &str| {
            let flags = encoded_flags.split('\u{1f}').flat_map(str::split_whitespace);
            flags.filter_map(|flag| Some(flag.split_once(name)?.1)).next_back()
        };
        let forced = last("smolnn_backend=").map(|name| name.trim_matches(['"', '\\']));
        Self { triple, cpu: last("target-cpu=").unwrap_or(""), forced }
    }

    fn architecture(&self) -> &'a str {
        self.triple.split('-').next().unwrap_or("")
    }

    /// The backend: the one that `--cfg smolnn_backend="…"` forces, else [`Target::native`].
    pub fn backend(&self) -> Backend {
        self.forced.and_then(Backend::from_name).unwrap_or_else(|| self.native())
    }

    /// The name that `--cfg smolnn_backend="…"` gives where no backend is called so.
    pub fn unknown_backend(&self) -> Option<&'a str> {
        self.forced.filter(|name| Backend::from_name(name).is_none())
    }

    /// The backend that serves the core best.
    pub fn native(&self) -> Backend {
        match self.architecture() {
            "thumbv7em" => Backend::Dsp,
            "thumbv7m" => Backend::V7m,
            "thumbv6m" | "thumbv8m.base" => Backend::V6m,
            "thumbv8m.main" => {
                CORES.into_iter().find(|(cpu, _)| *cpu == self.cpu).map_or(Backend::V7m, |(_, backend)| backend)
            }
            architecture if architecture.starts_with("riscv32im") => Backend::Rv32,
            _ => Backend::Portable,
        }
    }

    /// Whether the flags leave open which core it is although the choice costs much: `thumbv8m.main` stands for cores with and without DSP and vector
    /// instructions, and code that must run on all of them has neither.
    pub fn lacks_cpu(&self) -> bool {
        self.architecture() == "thumbv8m.main" && self.cpu.is_empty() && self.forced.is_none()
    }

    /// Whether the core issues a load beside another instruction, so that single loads cost less than multiple ones. The triple of the Cortex-M7 is
    /// that of the Cortex-M4: only `-C target-cpu=cortex-m7` tells.
    pub fn pairs_loads(&self) -> bool {
        self.architecture() == "thumbv7em" && self.cpu == "cortex-m7"
    }

    /// Whether the target's assembler takes the backend's instructions.
    pub fn assembles(&self, backend: Backend) -> bool {
        match backend {
            Backend::Portable => true,
            Backend::Dsp | Backend::Helium | Backend::V7m | Backend::V6m => self.is_thumb(),
            Backend::Rv32 => self.architecture().starts_with("riscv32"),
        }
    }

    /// Whether the core is a Cortex-M.
    pub fn is_thumb(&self) -> bool {
        self.architecture().starts_with("thumb")
    }

    /// Whether v8-M code is compiled, whose assembler knows other cores than v7-M's.
    pub fn is_v8m(&self) -> bool {
        self.architecture().starts_with("thumbv8m")
    }

    /// Whether floats are computed by the core and not by a library.
    pub fn has_fpu(&self) -> bool {
        let architecture = self.architecture();
        match architecture.strip_prefix("riscv32") {
            Some(extensions) => extensions.contains(['f', 'g']),
            None => !architecture.starts_with("thumb") || self.triple.ends_with("hf"),
        }
    }

    /// Whether one instruction multiplies 32 by 32 bits to 64.
    pub fn has_long_multiplication(&self) -> bool {
        !matches!(self.architecture(), "thumbv6m" | "thumbv8m.base")
    }

    /// Whether the core computes vectors of floats.
    pub fn has_float_vectors(&self) -> bool {
        self.has_fpu() && self.native() == Backend::Helium
    }
}
