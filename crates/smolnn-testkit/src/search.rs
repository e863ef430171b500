//! The search for the coefficients of the correctly rounded Q15 activations in `smolnn-fixed`.
//!
//! A piece of inputs x shares y(x) = ⌊(c0 + x·(c1 + x·c2)) / 2^shift⌋. For each c2 near the curvature, the lines c0 + c1·t
//! that pass between the bounds which the correctly rounded outputs set are searched from the one with the most room on
//! (the room is concave in c1) for one whose c0 ends in the byte c2. Arithmetic is modulo 2^32, so that a polynomial around
//! the piece's first input can be moved to 0. The small form, whose pieces serve x and −x, differs in its bounds alone.

use std::ops::RangeInclusive;
use std::vec::Vec;

/// What to approximate, and in which arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// The output for each input of int16, correctly rounded and saturated.
    pub target: fn(i32) -> i32,
    /// Added to the input before it is divided into pieces of 128.
    pub offset: i32,
    /// Fraction bits of the polynomial's value below the output's last place.
    pub shift: u32,
}

/// A piece's coefficients: c0, whose lowest byte is c2, and c1.
pub type Piece = [i32; 2];

/// The 512 pieces, that of input 0 first and those of negative inputs behind the positive ones, or the first input of a
/// piece that has no solution. With an offset the last inputs are a 513th piece, which shares the polynomial of the first.
///
/// # Errors
/// See above.
pub fn pieces(problem: &Problem) -> Result<Vec<Piece>, i32> {
    (0..256)
        .chain(-256..0)
        .map(|piece| {
            let start = (piece * 128 - problem.offset).max(-32768);
            let end = (piece + 1) * 128 - problem.offset;
            if piece == -256 && problem.offset > 0 {
                return Ok(ends(problem, end));
            }
            let bounds: Vec<(i64, i64)> = (start..end)
                .map(|x| i64::from((problem.target)(x)) << problem.shift)
                .map(|output| (output, output + (1 << problem.shift) - 1))
                .collect();
            solve(&bounds, start.into(), i64::MIN..=i64::MAX).map(|solution| moved(solution, start)).ok_or(start)
        })
        .collect()
}

/// The 256 pieces of the small form, for 128 neighbouring |x| each, from 0 on, or the first |x| of a piece that has no
/// solution. y(x) = ⌊(2^(shift − 1) ± P(|x|)) / 2^shift⌋ with the sign of x is to be right for either sign, so that P keeps to
/// less than a half from the target of |x|, which is not saturated. −32768 is in the last piece. A function that saturates
/// in the last addition needs summands that fit in 32 bits: ±c0, and 2^(shift − 1) ± (P − c0).
///
/// # Errors
/// See above.
pub fn mirrored_pieces(target: fn(i32) -> i32, shift: u32, saturates: bool) -> Result<Vec<Piece>, i32> {
    let half = 1 << (shift - 1);
    (0..256)
        .map(|piece| {
            let start = piece * 128;
            let end = if piece == 255 { 32769 } else { start + 128 };
            let bounds: Vec<(i64, i64)> = (start..end)
                .map(|x| i64::from(target(x)) << shift)
                .map(|output| (output - half + 1, output + half - 1))
                .collect();
            let constants = if saturates {
                // P lies between the first least and the last largest bound, since it grows.
                let largest = i64::from(i32::MAX);
                bounds[bounds.len() - 1].1 + half - largest..=largest.min(largest + bounds[0].0 - half)
            } else {
                i64::MIN..=i64::MAX
            };
            solve(&bounds, start.into(), constants).map(|solution| moved(solution, start)).ok_or(start)
        })
        .collect()
}

/// The polynomial for the least inputs, up to `end`, and the largest one, for a function that is saturated at both ends:
/// modulo 2^32 the one end's value is just above the other's, and so are the inputs modulo 2^16.
fn ends(problem: &Problem, end: i32) -> Piece {
    assert_eq!(problem.offset, 1);
    assert!((-32768..end).all(|x| (problem.target)(x) == -32768) && (problem.target)(32767) == 32767);
    // −1 per input: 65535 inputs further the value has fallen from just above −32768 to below it, which is 32767.
    let at_least_input = i64::from(-32768 << problem.shift) + 1024;
    moved([0, -1, at_least_input], -32768)
}

/// c2, c1, c0 around the piece's first input, for a polynomial between the bounds, least and largest, at every input, whose
/// constant around 0 is one of `constants`.
fn solve(bounds: &[(i64, i64)], start: i64, constants: RangeInclusive<i64>) -> Option<[i64; 3]> {
    let last = bounds.len() - 1;
    // The second difference over the whole piece is 2·c2 per half piece squared.
    let half = (last / 2).max(1) as i64;
    let bend = bounds[last].0 - 2 * bounds[last / 2].0 + bounds[0].0;
    let centre = bend / (2 * half * half);
    let mut candidates: Vec<i64> = (-128..=127).collect();
    candidates.sort_by_key(|c2| (c2 - centre).abs());
    candidates.into_iter().find_map(|c2| {
        let bounds: Vec<(i64, i64)> = (0..)
            .zip(bounds)
            .map(|(t, &(least, largest)): (i64, _)| (least - c2 * t * t, largest - c2 * t * t))
            .collect();
        // For a slope: the least and the largest c0 that keep the line between the bounds.
        let range = |c1: i64| {
            let at =
                |pick: fn(&(i64, i64)) -> i64| (0..).zip(&bounds).map(move |(t, bound): (i64, _)| pick(bound) - c1 * t);
            (at(|bound| bound.0).max().unwrap_or(0), at(|bound| bound.1).min().unwrap_or(0))
        };
        let room = |c1: i64| {
            let (least, largest) = range(c1);
            largest - least
        };
        let (mut low, mut high) = (-(1 << 22), 1 << 22);
        while high - low > 4 {
            let middle = (low + high) / 2;
            if room(middle) < room(middle + 1) { low = middle + 1 } else { high = middle }
        }
        let best = (low - 2..=high + 2).max_by_key(|&c1| room(c1))?;
        let ends_in_c2 = |c1: i64| {
            let (least, largest) = range(c1);
            let c0 = least + (c2 + c1 * start - c2 * start * start - least).rem_euclid(256);
            let fits = c0 <= largest && constants.contains(&(c0 - c1 * start + c2 * start * start));
            fits.then_some([c2, c1, c0])
        };
        let mut above = (best..).take_while(|&c1| room(c1) >= 0);
        let mut below = (1..).map(|step| best - step).take_while(|&c1| room(c1) >= 0);
        above.find_map(ends_in_c2).or_else(|| below.find_map(ends_in_c2))
    })
}

/// The polynomial around `start` as one around 0, modulo 2^32.
fn moved([c2, c1, c0]: [i64; 3], start: i32) -> Piece {
    let start = i64::from(start);
    let constant = c0 - c1 * start + c2 * start * start;
    assert_eq!(i64::from(constant as i8), c2);
    [constant as i32, (c1 - 2 * c2 * start) as i32]
}
