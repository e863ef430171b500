//! The polynomials of sigmoid and tanh in the order in which the build's core reads them best.

/// The polynomials of `N` pieces, a power of two: the piece of 0 comes first, those of negative inputs follow behind the
/// positive ones. Two arrays cost v7-M no address.
#[cfg(not(any(backend = "v6m", backend = "rv32")))]
#[repr(C)]
pub(crate) struct Pieces<const N: usize> {
    constants: [i32; N],
    slopes: [i32; N],
}

#[cfg(not(any(backend = "v6m", backend = "rv32")))]
impl<const N: usize> Pieces<N> {
    /// The polynomials from c0 of every piece, whose lowest byte is c2, and from c1.
    pub(crate) const fn new(constants: [i32; N], slopes: [i32; N]) -> Self {
        Self { constants, slopes }
    }

    /// c0 and c1 of a piece.
    #[inline(always)]
    pub(crate) const fn piece(&self, piece: usize) -> [i32; 2] {
        [self.constants[piece & (N - 1)], self.slopes[piece & (N - 1)]]
    }
}

/// The polynomials of `N` pieces, a power of two: the piece of 0 comes first, those of negative inputs follow behind the
/// positive ones. The coefficients lie side by side, since registers or addressing modes are few.
#[cfg(any(backend = "v6m", backend = "rv32"))]
pub(crate) struct Pieces<const N: usize> {
    pairs: [[i32; 2]; N],
}

#[cfg(any(backend = "v6m", backend = "rv32"))]
impl<const N: usize> Pieces<N> {
    /// The polynomials from c0 of every piece, whose lowest byte is c2, and from c1.
    pub(crate) const fn new(constants: [i32; N], slopes: [i32; N]) -> Self {
        let mut pairs = [[0; 2]; N];
        let mut piece = 0;
        while piece < N {
            pairs[piece] = [constants[piece], slopes[piece]];
            piece += 1;
        }
        Self { pairs }
    }

    /// c0 and c1 of a piece.
    #[inline(always)]
    pub(crate) const fn piece(&self, piece: usize) -> [i32; 2] {
        self.pairs[piece & (N - 1)]
    }
}

impl<const N: usize> Pieces<N> {
    /// c0, c1 and c2 of a piece.
    #[inline(always)]
    pub(crate) const fn coefficients(&self, piece: usize) -> [i32; 3] {
        let [constant, slope] = self.piece(piece);
        [constant, slope, constant as i8 as i32]
    }

    /// [`Pieces::coefficients`] for loops.
    #[cfg(not(core = "rv32"))]
    #[inline(always)]
    pub(crate) const fn coefficients_in_loop(&self, piece: usize) -> [i32; 3] {
        self.coefficients(piece)
    }

    /// [`Pieces::coefficients`] for loops. RISC-V loads a byte with its sign in one instruction, and takes two to find it in a
    /// word.
    #[cfg(core = "rv32")]
    #[inline(always)]
    pub(crate) fn coefficients_in_loop(&self, piece: usize) -> [i32; 3] {
        let pair = &self.pairs[piece & (N - 1)];
        let (first, second, byte);
        // SAFETY: the instructions read the two words of `pair`, which is a reference to them, and write nothing.
        unsafe {
            core::arch::asm!(
                "lw {first}, 0({pair})",
                "lb {byte}, 0({pair})",
                "lw {second}, 4({pair})",
                pair = in(reg) pair,
                first = out(reg) first,
                byte = out(reg) byte,
                second = lateout(reg) second,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        [first, second, byte]
    }
}
