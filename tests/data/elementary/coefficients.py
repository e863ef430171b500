#!/usr/bin/env python3
"""Makes crates/smolnn-float/src/elementary/tables.rs: every coefficient of the elementary functions in integers.

Run: python3 -m pip install mpmath==1.3.0 numpy==2.4.6 && python3 tests/data/elementary/coefficients.py > crates/smolnn-float/src/elementary/tables.rs

Polynomials of a segment are in t = -1..1 as a signed Q31 number and run by Horner's scheme in integers,
p = C[k]; p = C[k-1] + ((p t) >> 32); ...: each step halves, so C[k] holds 2^k times the coefficient of t^k.
They interpolate at Chebyshev's nodes, within some percent of the least possible error, which lies far below the rounding.
A product truncates towards minus infinity: half a unit goes back into C[0].
"""

import numpy as np
from mpmath import chebyfit, cos, erf, exp, log, log1p, lu_solve, matrix, mp, mpf, nint, pi, sqrt, tanh

mp.dps = 40


def fit(f, lo, hi, degree):
    """Coefficients in t = -1..1, lowest power first."""
    mid, half = (mpf(lo) + hi) / 2, (mpf(hi) - lo) / 2
    return list(reversed(chebyfit(lambda t: f(mid + half * t), [-1, 1], degree + 1)))


def integer(value, bits=32):
    value = int(nint(value))
    assert -(2 ** (bits - 1)) <= value < 2 ** (bits - 1), value
    return value


def float32(value):
    """The shortest decimal that gives the nearest f32."""
    return np.format_float_positional(np.float32(value), unique=True, trim="0") if abs(value) > 1e-4 else str(np.float32(value))


def show(name, doc, kind, values):
    """A static table; a row of several numbers is an array."""
    for line in doc:
        print(f"/// {line}")
    print(f"pub(super) static {name}: [{kind}; {len(values)}] = [")
    if isinstance(values[0], list) and len(values[0]) > 8:
        for row in values:
            print("    [")
            wrap([str(v) for v in row], "        ")
            print("    ],")
    else:
        wrap(["[" + ", ".join(map(str, v)) + "]" if isinstance(v, list) else str(v) for v in values], "    ")
    print("];\n")


def wrap(words, margin):
    line = margin[:-1]
    for word in words:
        if len(line) + len(word) + 2 > 118:
            print(line)
            line = margin[:-1]
        line += f" {word},"
    print(line)


def constants(name, doc, values):
    for line in doc:
        print(f"/// {line}")
    print(f"pub(super) const {name}: [i32; {len(values)}] = {values};\n")


def as_float(bits):
    """The positive float with these bits."""
    return (1 + mpf(bits & 0x7FFFFF) / 2**23) * mpf(2) ** ((bits >> 23) - 127)


def segments(first, shift, beyond):
    """Ends of segments of 2^shift floats from the bits `first` on."""
    while as_float(first) < beyond:
        yield as_float(first), as_float(first + 2**shift)
        first += 2**shift


print("""//! Coefficients of the elementary functions in integers.
//!
//! Made by `tests/data/elementary/coefficients.py`, which says how they are read; not to be edited by hand.
""")

# ---- exp: 2^f for f in [0, 1) as T[j] 2^r, |r| <= 1/128.
middle = lambda j: (j + mpf(1) / 2) / 64
show("EXP2", ["2^f in the middles of 64 segments of 0 <= f < 1: Q30, with the rounding of 7 bits folded in."], "u32",
     [integer(2 ** middle(j) * 2**30 + 64 + mpf(1) / 2) for j in range(64)])
show("EXP2_NEGATIVE", ["2^-f in the middles of 64 segments of 0 <= f < 1: Q31."], "u32",
     [integer(2 ** (31 - middle(j))) for j in range(64)])
_, *c = fit(lambda t: mpf(2) ** (t / 128) - 1, -1, 1, 2)
constants("POWER", ["2^r - 1 = t (c0 + c1 t), t = 128 r in Q31: c0 in Q33 and c1 in Q34, for a result in Q32."],
          [integer(c[0] * 2**33), integer(c[1] * 2**34)])

# ---- exp with 16-bit factors: e^(j/256), j/256 < ln 2 + 1/256.
show("EXP_NARROW", ["e^(j/256): Q30, with the rounding of 7 bits and the average of what the products truncate folded in."], "u32",
     [integer(exp(mpf(j) / 256) * 2**30 + 64 + 16 * exp(mpf(j) / 256), 33) for j in range(179)])

# ---- sigmoid
show("RECIPROCAL", ["1 / (1 + E) in the middles of 64 segments of 0 <= E < 1: Q31."], "u32",
     [integer(mpf(2) ** 31 / (1 + middle(j))) for j in range(64)])

show("RECIPROCAL_NARROW", ["1 / (1 + E) in the middles of 256 segments of 0 <= E < 1, to 16 bits: Q16."], "u16",
     [integer(mpf(2) ** 16 / (1 + (j + mpf(1) / 2) / 256), 17) for j in range(256)])

# ---- tanh
TANH_FIRST, TANH_BEYOND = 0x3F100000, mpf("9.0109")


def words(values):
    """32-bit numbers side by side, the first in the low half: one address, one double load."""
    return "0x" + "_".join(f"{v & 0xFFFFFFFF:08x}" for v in reversed(values))


def monotone(rows, shift, *evaluators, start=None):
    """Moves the last constant of a row by as little as makes the result rise with every float, ends of segments included,
    for all evaluators of the row; `start` is what the first must give at the first float.

    The products of Horner's scheme truncate; where the function rises by less than that, the sum may dip across a rounding."""
    t = np.arange(2**shift, dtype=np.int64)
    last = [-(2**62)] * len(evaluators)
    for row in rows:
        for change in sorted(range(-40, 41), key=abs):
            ys = [evaluate([*row[:-1], row[-1] + change], t) for evaluate in evaluators]
            at_start = start is None or ys[0][0] == start
            if at_start and all(y[0] >= end and np.all(y[1:] >= y[:-1]) for y, end in zip(ys, last)):
                break
        else:
            raise AssertionError("no change makes it monotonic")
        row[-1] += change
        last = [y[-1] for y in ys]
        start = None
    return rows


def horner(row, t):
    """As `cubic` in fixed.rs, then the rounding."""
    t = (t << 14) - 2**31
    p = row[0]
    for c in row[1:]:
        p = c + ((p * t) >> 32)
    return p >> 7


def cubics(f, first, beyond):
    """Rows from the highest power down, two words each."""
    rows = []
    for lo, hi in segments(first, 18, beyond):
        a = fit(lambda x: f(x) - mpf(1) / 2, lo, hi, 3)
        rows.append([integer(a[k] * mpf(2) ** (31 + k) + (64 + mpf(1) / 2 if k == 0 else 0)) for k in (3, 2, 1, 0)])
    return [[words(r[:2]), words(r[2:])] for r in monotone(rows, 18, horner)]


show("TANH", ["tanh(x) - 1/2 from x = 0.5625, 32 segments to a binade: Q31, with the rounding of 7 bits folded in.",
              "Two words hold two coefficients each: the cube in the low half, the square; the slope, the constant."], "[u64; 2]",
     cubics(tanh, TANH_FIRST, TANH_BEYOND))


def rest(x):
    return tanh(x) - mpf(1) / 2


def packed(f, lo, hi, constant):
    """[c1 in Q38 whose low 16 bits are c2 in Q23, chosen so that the whole word is the best c1; c0 in Q24 and a constant]."""
    a = fit(f, lo, hi, 2)
    c2 = integer(a[2] * 2**23, 16)
    c1 = integer((a[1] * 2**38 - c2) / 2**16) * 2**16 + c2
    return [integer(c1), integer(constant + a[0] * 2**24 + mpf(1) / 2)]


def evaluate_packed(bits, scale=13):
    """As `quadratic` in fixed.rs; a segment has 2^bits places, the slope 24 + 1 + `scale` bits after the point."""

    def evaluate(row, t):
        t = (t << (32 - bits)) - 2**31
        c1, c0 = row
        c2 = ((c1 & 0xFFFF) ^ 0x8000) - 0x8000
        return c0 + (((c1 + ((t * c2) >> 16)) * t) >> (32 + scale))

    return evaluate


def evaluate_packed_narrow(bits, scale=13):
    """As `quadratic_narrow` in fixed.rs."""

    def evaluate(row, t):
        t = ((t << (32 - bits)) - 2**31) >> 16
        c1, c0 = row
        slope = c1 + t * (((c1 & 0xFFFF) ^ 0x8000) - 0x8000)
        return c0 + ((((slope >> 16) * t) + ((((slope >> 1) & 0x7FFF) * t) >> 15)) >> scale)

    return evaluate


def quadratics(f, first, beyond, *evaluators):
    rows = [packed(lambda x: f(x) - mpf(1) / 2, lo, hi, 0x3F000000) for lo, hi in segments(first, 18, beyond)]
    return [words(row[::-1]) for row in monotone(rows, 18, *evaluators)]


show("TANH_FAST", ["tanh(x) from x = 0.5625, 32 segments to a binade. Low half: the bits of the float in the middle;",
                   "high half: the slope in Q38, its low 16 bits the curvature in Q23."], "u64",
     quadratics(tanh, TANH_FIRST, TANH_BEYOND, evaluate_packed(18)))


def narrow(lo, hi):
    """t counts floats from the middle: -2^16..2^16. c0 in Q31; c1 in 2^-31 units of the last place per float, its low 12 bits c2."""
    a = fit(rest, lo, hi, 2)
    ulp = mpf(2) ** 24
    c2 = integer(a[2] * ulp * 4, 12)
    c1 = integer((a[1] * ulp / 2**16 * 2**31 - c2) / 2**12) * 2**12 + c2
    return [integer(c1), integer(a[0] * 2**31 + 64)]


def evaluate_narrow(row, t):
    """As `near_narrow` in tanh.rs."""
    c1, c0 = row
    t = t - 2**16
    c2 = ((c1 & 0xFFF) ^ 0x800) - 0x800
    slope = c1 + ((t * c2) >> 3)
    return (c0 + ((t * (slope >> 16) + ((t * ((slope >> 8) & 0xFF)) >> 8)) >> 8)) >> 7


show("TANH_NARROW", ["tanh(x) - 1/2 from x = 0.5625, 64 segments to a binade: Q31, with the rounding of 7 bits folded in;",
                     "the slope per float, its low 12 bits the curvature."], "[i32; 2]",
     [row[::-1] for row in monotone([narrow(*ends) for ends in segments(TANH_FIRST, 17, TANH_BEYOND)], 17, evaluate_narrow)])


def minimax(basis, f, weight, points, rounds=40):
    """Coefficients of the combination of `basis` with the least weighted maximum error on the points: Lawson's algorithm."""
    importance = [mpf(1)] * len(points)
    for _ in range(rounds):
        m = matrix(len(points), len(basis))
        r = matrix(len(points), 1)
        for i, x in enumerate(points):
            w = weight(x) * sqrt(importance[i])
            r[i] = w * f(x)
            for k, g in enumerate(basis):
                m[i, k] = w * g(x)
        c = lu_solve(m, r)
        errors = [abs(weight(x) * (f(x) - sum(ck * g(x) for ck, g in zip(c, basis)))) for x in points]
        importance = [v * e for v, e in zip(importance, errors)]
        total = sum(importance)
        importance = [v / total for v in importance]
    return list(c)


def small(terms, weight):
    """1 - tanh(x) / x = x^2 (c0 + c1 x^2 + ...) for x < 0.5625."""
    points = [mpf("0.5625") * (1 - cos(pi * (i + mpf(1) / 2) / 120)) / 2 for i in range(120)]
    return minimax([lambda x, k=k: x ** (2 * k + 2) for k in range(terms)], lambda x: 1 - tanh(x) / x, weight, points)


constants("TANH_SMALL", ["(1 - tanh(x) / x) / x^2 as a polynomial of x^2 < 0.5625^2, highest power first: Q31, signs alternating."],
          [integer(abs(v) * 2**31) for v in reversed(small(5, lambda x: 1))])
constants("TANH_SMALL_FAST", ["The same to 2^-21 of the result."], [integer(abs(v) * 2**31) for v in reversed(small(3, lambda x: x))])
print("/// The same in floats, with its signs, lowest power first.")
print(f"pub(super) const TANH_SMALL_FLOAT: [f32; 3] = [{', '.join(str(np.float32(v)) for v in small(3, lambda x: x))}];")


def polynomial(name, doc, f, lo, hi, degree, bits):
    """Lowest power last; each step of Horner's scheme multiplies by a Q32 number, which does not halve."""
    c = chebyfit(f, [lo, hi], degree + 1)
    constants(name, doc, [integer(v * mpf(2) ** bits) for v in c])


# ---- erf
show("ERF", ["erf(x) - 1/2 from x = 0.5, 32 segments to a binade; as TANH."], "[u64; 2]",
     cubics(erf, 0x3F000000, mpf("3.8325")))
show("ERF_FAST", ["erf(x) from x = 0.5, 32 segments to a binade; as TANH_FAST."], "u64",
     quadratics(erf, 0x3F000000, mpf("3.8325"), evaluate_packed(18), evaluate_packed_narrow(18)))
polynomial("ERF_SMALL", ["erf(x) / x as a polynomial of x^2 < 1/4 in Q32, highest power first: Q30."],
           lambda q: erf(sqrt(q)) / sqrt(q) if q > 1e-12 else 2 / sqrt(pi) * (1 - q / 3), 0, mpf(1) / 4, 5, 30)


def erf_small():
    """1 - erf(x) / x = c0 + c1 x^2 + c2 x^4 + c3 x^6 for x < 1/2."""
    points = [(1 - cos(pi * (i + mpf(1) / 2) / 120)) / 4 for i in range(120)]
    return minimax([lambda x, k=k: x ** (2 * k) for k in range(4)], lambda x: 1 - erf(x) / x, lambda x: x, points)


constants("ERF_SMALL_FAST", ["erf(x) / x, fast, in x^2, highest power first: Q30, signs alternating."],
          [integer(abs((1 if k == 0 else 0) - v) * 2**30) for k, v in reversed(list(enumerate(erf_small())))])
print("/// 1 - erf(x) / x in floats, in x^2, lowest power first.")
print(f"pub(super) const ERF_SMALL_FLOAT: [f32; 4] = [{', '.join(str(np.float32(v)) for v in erf_small())}];")

# ---- expm1
polynomial("EXPM1_SMALL", ["(e^x - 1) / x for |x| < 1/2 in Q32, highest power first: Q30."],
           lambda x: (exp(x) - 1) / x if abs(x) > 1e-12 else 1 + x / 2, mpf(-1) / 2, mpf(1) / 2, 7, 30)

# ---- log
inverses = [int(nint(mpf(2) ** 32 / (1 + middle(j)))) for j in range(64)]
show("LOG_INVERSE", ["1 / m in the middles of 64 segments of 1 <= m < 2: Q32."], "u32", inverses)
show("LOG", ["-ln of LOG_INVERSE: Q31."], "u32", [int(nint(-log(mpf(v) / 2**32) * 2**31)) for v in inverses])
polynomial("LOG_SMALL", ["ln(1 + z) / z for |z| < 1/16 in Q32, highest power first: Q30."],
           lambda z: log1p(z) / z if abs(z) > 1e-12 else 1 - z / 2, mpf(-1) / 16, mpf(1) / 16, 6, 30)

# ---- exp, log and what is made of them, fast
points = [cos(pi * (i + mpf(1) / 2) / 60) for i in range(60)]
raised = lambda t: 2 ** ((1 + t) / 2)
a, b, c = minimax([lambda t, k=k: (t * t - 1) * t**k for k in range(3)], lambda t: raised(t) - 1 - (1 + t) / 2,
                  lambda t: 1 / raised(t), points)
bow = [integer(v * mpf(2) ** (31 + k)) for k, v in ((4, c), (3, b), (2, a - c), (1, -b), (0, -a))]


def evaluate_bow(row, t):
    """As `near` in fast/exp.rs: the mantissa."""
    centred = (t << 9) - 2**31
    p = row[0]
    for c in row[1:]:
        p = c + ((p * centred) >> 32)
    return t + (p >> 8)


monotone([bow], 23, evaluate_bow, start=0)
assert evaluate_bow(bow, np.array([2**23 - 1]))[0] <= 2**23
constants("EXP_BOW", ["2^f - 1 - f, 0 <= f < 1, in t = 2f - 1 as a signed Q31 number, highest power first, as TANH: Q31."], bow)
LN_2_Q24 = 11629079
log_fast = monotone([packed(log, 1 + mpf(j) / 64, 1 + mpf(j + 1) / 64, -127 * LN_2_Q24) for j in range(64)],
                    17, evaluate_packed(17), evaluate_packed_narrow(17), start=-127 * LN_2_Q24)
# The end of one binade meets the start of the next.
assert all(evaluate(log_fast[-1], np.array([2**17 - 1]))[0] <= -126 * LN_2_Q24 for evaluate in (evaluate_packed(17), evaluate_packed_narrow(17)))
show("LOG_FAST", ["ln(1 + f) - 127 ln 2 over 64 segments of 0 <= f < 1: Q24; as TANH_FAST."], "u64",
     [words(row[::-1]) for row in log_fast])



def softplus_rows():
    """-ln(1 + e^-a) over segments of 1/8 up to 16. A piece starts where the one before has ended, and its slope, which has 16 bits,
    is the one that ends nearest to the truth: the pieces join, and their errors do not add up."""
    start = -mpf(11629080) / 2**24
    for i in range(128):
        low, mid, high = (-log1p(exp(-(mpf(i) + k) / 8)) for k in (0, mpf(1) / 2, 1))
        c2 = integer(((low + high) / 2 - mid) * 2**20, 16)
        c1 = integer(((high - start) / 2 * 2**35 - c2) / 2**16) * 2**16 + c2
        c0 = start + mpf(c1) / 2**35 - mpf(c2) / 2**20
        yield [integer(c1), integer(c0 * 2**24)]
        start = c0 + mpf(c1) / 2**35 + mpf(c2) / 2**20


show("SOFTPLUS_FAST", ["-ln(1 + e^-a) over 128 segments of 1/8: Q24; as TANH_FAST, with the slope in Q35 and the curvature in Q20."], "u64",
     [words(row[::-1]) for row in monotone(list(softplus_rows()), 19, evaluate_packed(19, 10), evaluate_packed_narrow(19, 10))])

# ---- softplus
def log1p_rows():
    f = lambda e: log1p(e) / e if e > 1e-12 else 1 - e / 2
    for i in range(32):
        a = fit(f, mpf(i) / 32, mpf(i + 1) / 32, 3)
        c = [integer(a[k] * mpf(2) ** (30 + k) + (mpf(1) / 2 if k == 0 else 0)) for k in range(4)]
        yield [words([c[3], c[2]]), words([c[1], c[0]])]


show("LOG1P", ["ln(1 + E) / E, 0 <= E < 1, in 32 segments: Q30; as TANH."], "[u64; 2]", list(log1p_rows()))

# ---- without branches, for vector units
def vector_rows():
    """tanh((i + f) / 32) in f = 0..1 as a straight line between floats, so that the pieces join, and a bow; the bow is left out
    where it is far below an ulp and could outweigh the line. The first: tanh(x) - x."""
    near = [(1 - cos(pi * (i + mpf(1) / 2) / 60)) / 2 for i in range(60)]
    yield [float32(v) for v in reversed(minimax([lambda f: f * f, lambda f: f**3],
                                                lambda f: tanh(f / 32) - f / 32, lambda f: 1 / f, near))] + ["0.0"] * 2
    rounded = [mpf(float(np.float32(tanh(mpf(i) / 32)))) for i in range(290)]
    for i in range(1, 289):
        exact = lambda f: tanh((i + f) / 32)
        low, high = exact(0), exact(1)
        rise = rounded[i + 1] - rounded[i]
        # f (1 - f) (a + b f) through the other zeros of the Chebyshev polynomial whose outer ones lie at 0 and 1
        u, v = (1 - (sqrt(mpf(2)) - 1)) / 2, sqrt(mpf(2)) / 2
        p, q = ((exact(f) - low - (high - low) * f) / (f * (1 - f)) for f in (u, v))
        b = (q - p) / (v - u)
        a = p - b * u
        if rise < mpf(2) ** -21:
            a = b = mpf(0)
        yield [float32(value) for value in [-b, b - a, rise + a, rounded[i]]]


show("TANH_VECTOR", ["tanh(x) over segments of 1/32 up to 9.03, one table per power of the place in the segment, highest first;",
                     "over the first, tanh(x) - x."],
     "[f32; 289]", [list(column) for column in zip(*vector_rows())])


def sigmoid_rows():
    for i in range(301):
        yield [float32(v) for v in chebyfit(lambda f: 1 / (1 + exp((i + f) / 16)), [0, 1], 4)]


show("SIGMOID_VECTOR", ["1 / (1 + e^x) over segments of 1/16 up to 27 ln 2; as TANH_VECTOR."],
     "[f32; 301]", [list(column) for column in zip(*sigmoid_rows())])
