//! Calls of kernels: what a node becomes. A call's arguments are written once, in [`call!`], and serve the run on this machine and generated code.

use std::fmt;

use smolnn_core::ShapeError;
use smolnn_fixed::pack::Layout;

use super::custom::Custom;
use super::memory::{Io, Memory};
use super::source::Source;
use crate::net::TensorId;

/// A call of one kernel, or of several that share their tensors.
#[derive(Debug)]
pub(crate) struct Call {
    /// Options in a few words, for people.
    pub label: String,
    /// Tensors that are read; constants among them become static arrays.
    pub inputs: Vec<TensorId>,
    /// Tensors that keep their value between runs, read and written.
    pub states: Vec<TensorId>,
    /// Tensors that are written.
    pub outputs: Vec<TensorId>,
    /// Multiply-accumulates of one run.
    pub macs: u64,
    /// Bytes of constants: packed weights, channels, tables. Constant inputs are not among them.
    pub constant_bytes: usize,
    /// Words of scratch memory.
    pub scratch_words: usize,
    /// Per input: the least distance in bytes from the first output's start to the input's at which they may overlap; `None` where they must lie
    /// apart.
    pub gaps: Vec<Option<usize>>,
    /// What runs and is written.
    pub body: Body,
    /// The same with the first two inputs exchanged, where that can be: the input that overlaps the output comes first.
    pub exchanged: Option<Body>,
    /// The layout of packed weights, of a layer that has some.
    pub layout: Option<Layout>,
    /// Why the portable body computes its products, where it does though the program is for another backend.
    pub portable: Option<&'static str>,
    /// The custom operator that it is: the runner runs it by a function of the user's.
    pub custom: Option<Box<Custom>>,
    /// Another body for the same outputs, which takes fewer cycles and more flash.
    pub faster: Option<Box<Faster>>,
}

/// A body that takes fewer cycles and more flash than a call's own, and what else differs with it.
#[derive(Debug)]
pub(crate) struct Faster {
    pub body: Body,
    /// The layout of its weights.
    pub layout: Layout,
    /// What the call's label has at its end then.
    pub label: &'static str,
    pub scratch_words: usize,
    /// The gap of input 0.
    pub gap: usize,
    /// An estimate of the cycles that a run takes less.
    pub saved_cycles: u64,
}

impl Call {
    /// Lets the first output overlap input `index`, if it starts `gap` bytes before it.
    pub(crate) fn overlap(mut self, index: usize, gap: usize) -> Self {
        self.gaps[index] = Some(gap);
        self
    }

    /// Lets the first output overlap input 1 as well; the body then has the first two inputs exchanged.
    pub(crate) fn overlap_exchanged(mut self, gap: usize, body: Body) -> Self {
        self.exchanged = Some(body);
        self.overlap(1, gap)
    }

    /// Says what the call does, for people.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// States multiply-accumulates of one run.
    pub(crate) fn macs(mut self, macs: u64) -> Self {
        self.macs = macs;
        self
    }

    /// Asks for words of scratch memory.
    pub(crate) fn scratch(mut self, words: usize) -> Self {
        self.scratch_words = words;
        self
    }

    /// States the layout of the packed weights.
    pub(crate) fn layout(mut self, layout: Option<Layout>) -> Self {
        self.layout = layout;
        self
    }

    /// Says why the portable body computes the call's products, if it does.
    pub(crate) fn portable(mut self, reason: Option<&'static str>) -> Self {
        self.portable = reason;
        self
    }

    /// Offers another body, which takes fewer cycles and more flash.
    pub(crate) fn faster(mut self, faster: Option<Faster>) -> Self {
        self.faster = faster.map(Box::new);
        self
    }

    /// Bytes by which the constants grow with the faster body, where there is one.
    fn faster_bytes(&self) -> Option<usize> {
        self.faster.as_ref().map(|faster| faster.body.bytes().saturating_sub(self.body.bytes()))
    }

    /// The call with weights of this layout, if one of its bodies has it.
    pub(crate) fn with_layout(mut self, layout: Option<Layout>) -> Option<Self> {
        if self.layout != layout && self.faster.as_ref().is_some_and(|faster| Some(faster.layout) == layout) {
            self.take_faster();
        }
        (self.layout == layout).then_some(self)
    }

    /// Takes the faster body.
    fn take_faster(&mut self) {
        let Some(faster) = self.faster.take() else { return };
        let Faster { body, layout, label, scratch_words, gap, .. } = *faster;
        self.layout = Some(layout);
        self.constant_bytes = (self.constant_bytes + body.bytes()).saturating_sub(self.body.bytes());
        self.body = body;
        self.label.push_str(label);
        self.scratch_words = scratch_words;
        if let Some(first) = self.gaps.first_mut() {
            *first = Some(gap);
        }
    }

    /// Counts a table that the layer computes from its arguments.
    pub(crate) fn table_bytes(mut self, bytes: usize) -> Self {
        self.constant_bytes += bytes;
        self
    }

    /// Names tensors that keep their value between runs.
    pub(crate) fn states(mut self, states: &[TensorId]) -> Self {
        self.states = states.into();
        self
    }
}

/// Takes faster bodies, those first that save most cycles per byte, as long as the constants grow by no more than `budget` bytes in all. Calls come in
/// groups that share their weights, each with its first node: a group has them in one form. Gives the first nodes of the groups that were taken, in this
/// order, and the cycles that each saves.
pub(crate) fn take_faster(groups: Vec<(usize, Vec<&mut Call>)>, mut budget: usize) -> Vec<(usize, u64)> {
    struct Offer<'a> {
        first: usize,
        bytes: usize,
        saved: u64,
        calls: Vec<&'a mut Call>,
    }
    let mut offers = Vec::new();
    for (first, calls) in groups {
        let growths: Option<Vec<usize>> = calls.iter().map(|call| call.faster_bytes()).collect();
        if let Some(bytes) = growths.and_then(|growths| growths.into_iter().max()) {
            let saved = calls.iter().flat_map(|call| &call.faster).map(|faster| faster.saved_cycles).sum::<u64>();
            offers.push(Offer { first, bytes, saved, calls });
        }
    }
    offers.sort_by_key(|offer| std::cmp::Reverse((offer.saved << 16) / offer.bytes.max(1) as u64));
    let mut taken = Vec::new();
    for Offer { first, bytes, saved, calls } in offers {
        if bytes <= budget {
            budget -= bytes;
            calls.into_iter().for_each(Call::take_faster);
            taken.push((first, saved));
        }
    }
    taken
}

/// What a part of a body is asked to do.
pub(crate) enum Task<'t, 'm> {
    /// Make the layer, and nothing of it.
    Check,
    /// Run the kernel.
    Run(Memory<'m>),
    /// Write the kernel's call as an expression.
    Write { source: &'t mut Source, io: &'t Io, text: &'t mut String },
}

/// Without its feature nothing can ask for a run, and no kernel is compiled into a build script that only writes its call.
#[cfg(not(feature = "quantise"))]
pub(crate) const NOT_HERE: ShapeError = ShapeError::Range("kernels run with the feature quantise");

/// What [`call!`] makes of a kernel with its arguments.
type Function = dyn Fn(Task<'_, '_>) -> Result<(), ShapeError>;

/// A kernel with its arguments.
struct Part {
    /// The kernel's path, as generated code names it.
    kernel: &'static str,
    bytes: usize,
    runs_here: bool,
    /// Whether the kernel gives a `Result`.
    fallible: bool,
    function: Box<Function>,
}

/// One or several kernels, one after the other on the same tensors.
pub(crate) struct Body {
    parts: Vec<Part>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kernels", self.parts.len())
    }
}

impl Body {
    pub(crate) fn new(
        kernel: &'static str,
        bytes: usize,
        runs_here: bool,
        function: impl Fn(Task<'_, '_>) -> Result<(), ShapeError> + 'static,
    ) -> Self {
        Self { parts: vec![Part { kernel, bytes, runs_here, fallible: true, function: Box::new(function) }] }
    }

    /// The same under the name that its figures have: of a function that the kernel is given, or of another body for the same kernel.
    pub(crate) fn measured_as(mut self, name: &'static str) -> Self {
        self.parts.iter_mut().for_each(|part| part.kernel = name);
        self
    }

    /// The kernels' paths, each once.
    pub(crate) fn kernels(&self) -> Vec<&'static str> {
        let mut kernels: Vec<&str> = Vec::new();
        for part in &self.parts {
            if !kernels.contains(&part.kernel) {
                kernels.push(part.kernel);
            }
        }
        kernels
    }

    /// The same, of kernels that give nothing instead of a `Result`.
    pub(crate) fn infallible(mut self) -> Self {
        self.parts.iter_mut().for_each(|part| part.fallible = false);
        self
    }

    /// Several bodies as one.
    pub(crate) fn sequence(bodies: impl IntoIterator<Item = Self>) -> Self {
        Self { parts: bodies.into_iter().flat_map(|body| body.parts).collect() }
    }

    /// Bytes of the arrays among the arguments.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Makes the layers once, so that a wrong one is an error now. Weights for another backend than this machine's are not looked at.
    pub(crate) fn check(&self) -> Result<(), ShapeError> {
        self.parts.iter().filter(|part| part.runs_here).try_for_each(|part| (part.function)(Task::Check))
    }

    /// Runs the kernels. `turn` counts the runs of a call over rows, whose operands move on from one to the next; otherwise it is 0.
    pub(crate) fn run(&self, io: &Io, turn: usize, arena: &mut [u32], state: &mut [u32]) -> Result<(), ShapeError> {
        self.parts.iter().try_for_each(|part| (part.function)(Task::Run(Memory::new(io, turn, arena, state)?)))
    }

    /// The kernels' calls as statements.
    pub(crate) fn write(&self, source: &mut Source, io: &Io) -> Vec<String> {
        let write = |part: &Part| {
            let mut text = String::new();
            let written = (part.function)(Task::Write { source: &mut *source, io, text: &mut text });
            debug_assert!(written.is_ok(), "writing makes no layer");
            text + if part.fallible { "?;" } else { ";" }
        };
        self.parts.iter().map(write).collect()
    }
}

/// What a kernel gives: nothing, or a `Result`.
pub(crate) trait Finished {
    fn finished(self) -> Result<(), ShapeError>;
}

impl Finished for () {
    fn finished(self) -> Result<(), ShapeError> {
        Ok(())
    }
}

impl Finished for Result<(), ShapeError> {
    fn finished(self) -> Self {
        self
    }
}

/// A path as Rust, as `call!` and `made!` find it.
macro_rules! path_text {
    ($first:ident $(:: $rest:ident)*) => {
        concat!(stringify!($first) $(, "::", stringify!($rest))*)
    };
}
pub(crate) use path_text;

/// A small value made by a constructor, with the constructor's call as Rust: `made!(Pairing::new(left, right))` gives a
/// `Result<Made<Pairing>, ShapeError>`. The arguments are variables or fields that implement `Argument` and take no arrays.
macro_rules! made {
    ($first:ident $(:: $rest:ident)* ($($argument:expr),* $(,)?)) => {{
        let make = || -> Result<_, ::smolnn_core::ShapeError> {
            let arguments: Vec<String> = vec![
                $($crate::lower::argument::Argument::text(&$argument, &mut $crate::lower::source::Source::default())),*
            ];
            let path = $crate::lower::call::path_text!($first $(:: $rest)*);
            let text = format!("{path}({})", arguments.join(", "));
            let value = $first $(:: $rest)* ($($crate::lower::argument::Argument::value(&$argument)?),*)?;
            Ok($crate::lower::argument::Made { value, text })
        };
        make()
    }};
}
pub(crate) use made;

/// A kernel with its arguments, as a [`Body`]: `call!(conv2d(&Conv2d::new(shape, words, …), plain, …; tensors, scratch))`.
///
/// - First, if the kernel takes one, `&` and the constructor of the layer; in generated code it becomes a constant.
/// - Then any number of other arguments. All of them are variables or fields that implement `Argument`; the closure takes them along.
/// - Behind the semicolon the memory, in the kernel's order: `tensors` (the first input and output, wherever they lie) or `operands` (two inputs and
///   the output) as the first; `input(index)`, `output(index)`, `state(index)`, `scratch`; `inputs`, a slice of all of them; `some(index)`, an input
///   as an `Option`; `some_output(index)`, the output of an index that is itself an `Option`; and `none`, what is left out. Where the kernel is
///   generic, `tensors<T>` and the like name the element type.
///
/// Paths stand in generated code as they stand here, so that the function must be in `smolnn::generated` under the same path.
macro_rules! call {
    ($f:ident $(:: $g:ident)* (& $l:ident $(:: $m:ident)* ($($made:expr),* $(,)?) $(, $plain:expr)*; $($memory:tt)*)) => {
        $crate::lower::call::Body::new(
            $crate::lower::call::path_text!($f $(:: $g)*),
            0 $(+ $crate::lower::argument::Argument::bytes(&$made))* $(+ $crate::lower::argument::Argument::bytes(&$plain))*,
            true $(&& $crate::lower::argument::Argument::runs_here(&$made))*,
            move |task| match task {
                $crate::lower::call::Task::Check => {
                    $l $(:: $m)* ($($crate::lower::argument::Argument::value(&$made)?),*).map(|_| ())
                }
                #[cfg(not(feature = "quantise"))]
                $crate::lower::call::Task::Run(_) => Err($crate::lower::call::NOT_HERE),
                #[cfg(feature = "quantise")]
                #[allow(unused_mut, unused_variables)]
                $crate::lower::call::Task::Run(mut memory) => {
                    let layer = $l $(:: $m)* ($($crate::lower::argument::Argument::value(&$made)?),*)?;
                    $crate::lower::call::run_kernel!(
                        memory; $f $(:: $g)*;
                        (&layer $(, $crate::lower::argument::Argument::value(&$plain)?)*);
                        $($memory)*
                    )
                }
                $crate::lower::call::Task::Write { source, io, text } => {
                    let layer: Vec<String> = vec![$($crate::lower::argument::Argument::text(&$made, source)),*];
                    let path = $crate::lower::call::path_text!($l $(:: $m)*);
                    let layer = format!("const {{ &shape!({path}({})) }}", layer.join(", "));
                    let mut arguments = vec![layer $(, $crate::lower::argument::Argument::text(&$plain, source))*];
                    $crate::lower::call::write_memory!(arguments, source, io; $($memory)*);
                    let path = $crate::lower::call::path_text!($f $(:: $g)*);
                    *text = format!("{path}({})", arguments.join(", "));
                    Ok(())
                }
            },
        )
    };
    ($f:ident $(:: $g:ident)* ($($plain:expr),*; $($memory:tt)*)) => {
        $crate::lower::call::Body::new(
            $crate::lower::call::path_text!($f $(:: $g)*),
            0 $(+ $crate::lower::argument::Argument::bytes(&$plain))*,
            true $(&& $crate::lower::argument::Argument::runs_here(&$plain))*,
            move |task| match task {
                $crate::lower::call::Task::Check => Ok(()),
                #[cfg(not(feature = "quantise"))]
                $crate::lower::call::Task::Run(_) => Err($crate::lower::call::NOT_HERE),
                #[cfg(feature = "quantise")]
                #[allow(unused_mut, unused_variables)]
                $crate::lower::call::Task::Run(mut memory) => {
                    $crate::lower::call::run_kernel!(
                        memory; $f $(:: $g)*;
                        ($($crate::lower::argument::Argument::value(&$plain)?),*);
                        $($memory)*
                    )
                }
                #[allow(unused_variables, clippy::vec_init_then_push)]
                $crate::lower::call::Task::Write { source, io, text } => {
                    let mut arguments: Vec<String> = vec![$($crate::lower::argument::Argument::text(&$plain, source)),*];
                    $crate::lower::call::write_memory!(arguments, source, io; $($memory)*);
                    let path = $crate::lower::call::path_text!($f $(:: $g)*);
                    *text = format!("{path}({})", arguments.join(", "));
                    Ok(())
                }
            },
        )
    };
}
pub(crate) use call;

/// Runs a kernel on its memory, for [`call!`].
macro_rules! run_kernel {
    ($memory:ident; $f:path; ($($value:expr),*); tensors $(<$t:ty>)? $(, $item:ident $(<$u:ty>)? $(($index:expr))?)*) => {
        match $memory.tensors $(::<$t>)? ()? {
            $crate::lower::memory::Either::Apart(tensors) => {
                $f($($value,)* tensors $(, $crate::lower::call::borrow_memory!($memory; $item $(<$u>)? $(($index))?))*)
            }
            $crate::lower::memory::Either::Together(tensors) => {
                $f($($value,)* tensors $(, $crate::lower::call::borrow_memory!($memory; $item $(<$u>)? $(($index))?))*)
            }
        }
    };
    ($memory:ident; $f:path; ($($value:expr),*); operands $(<$t:ty>)?) => {
        match $memory.operands $(::<$t>)? ()? {
            $crate::lower::memory::Pair::Apart(operands) => $f($($value,)* operands),
            $crate::lower::memory::Pair::Together(operands) => $f($($value,)* operands),
        }
    };
    ($memory:ident; $f:path; ($($value:expr),*); $($item:ident $(<$u:ty>)? $(($index:expr))?),*) => {
        $crate::lower::call::Finished::finished(
            $f($($value,)* $($crate::lower::call::borrow_memory!($memory; $item $(<$u>)? $(($index))?)),*)
        )
    };
}
pub(crate) use run_kernel;

/// One piece of memory, for [`call!`].
macro_rules! borrow_memory {
    ($memory:ident; scratch) => {
        $memory.scratch()
    };
    ($memory:ident; inputs $(<$t:ty>)?) => {
        &$memory.inputs $(::<$t>)? ()?
    };
    ($memory:ident; none) => {
        None
    };
    ($memory:ident; some $(<$t:ty>)? ($index:expr)) => {
        Some($memory.input $(::<$t>)? ($index)?)
    };
    ($memory:ident; some_output $(<$t:ty>)? ($index:expr)) => {
        match $index {
            Some(index) => Some($memory.output $(::<$t>)? (index)?),
            None => None,
        }
    };
    ($memory:ident; $item:ident $(<$t:ty>)? ($index:expr)) => {
        $memory.$item $(::<$t>)? ($index)?
    };
}
pub(crate) use borrow_memory;

/// Writes the memory of a kernel, for [`call!`].
macro_rules! write_memory {
    ($arguments:ident, $source:ident, $io:ident; $($item:ident $(<$t:ty>)? $(($index:expr))?),*) => {
        $($arguments.push($crate::lower::call::memory_text!($source, $io; $item $(($index))?));)*
    };
}
pub(crate) use write_memory;

/// One piece of memory as Rust, for [`call!`].
macro_rules! memory_text {
    ($source:ident, $io:ident; tensors) => {
        $io.tensors_text($source)
    };
    ($source:ident, $io:ident; operands) => {
        $io.operands_text($source)
    };
    ($source:ident, $io:ident; none) => {
        "None".to_string()
    };
    ($source:ident, $io:ident; some($index:expr)) => {
        format!("Some({})", $io.input_text($source, $index))
    };
    ($source:ident, $io:ident; some_output($index:expr)) => {
        $index.map_or_else(|| "None".to_string(), |index| format!("Some({})", $io.output_text(index)))
    };
    ($source:ident, $io:ident; scratch) => {
        $io.scratch_text().to_string()
    };
    ($source:ident, $io:ident; inputs) => {
        $io.inputs_text($source)
    };
    ($source:ident, $io:ident; input($index:expr)) => {
        $io.input_text($source, $index)
    };
    ($source:ident, $io:ident; output($index:expr)) => {
        $io.output_text($index)
    };
    ($source:ident, $io:ident; state($index:expr)) => {
        $io.state_text($index)
    };
}
pub(crate) use memory_text;

/// Evaluates an expression with `T` the Rust type of an element: `typed!(context, element, T: I8 I16 => call!(…))`. Another element is a problem of
/// the node. `T: any` is every type that tensors have when a model runs: for kernels that only move elements.
macro_rules! typed {
    (@type I8) => { i8 };
    (@type U8) => { u8 };
    (@type Bool) => { u8 };
    (@type I16) => { i16 };
    (@type I32) => { i32 };
    (@type F32) => { f32 };
    ($context:expr, $element:expr, $t:ident: any => $body:expr) => {
        $crate::lower::call::typed!($context, $element, $t: I8 U8 Bool I16 I32 F32 => $body)
    };
    ($context:expr, $element:expr, $t:ident: $($kind:ident)+ => $body:expr) => {
        match $element {
            $($crate::net::Element::$kind => {
                type $t = $crate::lower::call::typed!(@type $kind);
                $body
            })+
            other => {
                let supported = concat!($(stringify!($kind), " "),+);
                return Err($context.fault(format!("elements of {other}"), supported.trim_end()));
            }
        }
    };
}
pub(crate) use typed;
