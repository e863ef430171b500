//! Options on the command line that QEMU hands over, so that one image serves many runs.

/// Longest command line that is read; QEMU is given short ones.
const LONGEST: usize = 256;

/// Calls `found` with the value that follows `name`, which includes its dashes, or with `None`.
pub fn option<R>(name: &str, found: impl FnOnce(Option<&str>) -> R) -> R {
    let Ok(arguments) = semihosting::experimental::env::args::<LONGEST>() else { return found(None) };
    let mut arguments = &arguments;
    while let Some(argument) = arguments.next() {
        if argument == Ok(name) {
            return found(arguments.next().and_then(Result::ok));
        }
    }
    found(None)
}
