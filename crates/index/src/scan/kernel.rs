//! The sum of products of two-bit codes with an eight-bit query, as fast as the processor can.
//!
//! This is the one place in the crate with instructions of a processor's own. The sums are of whole numbers,
//! so every way of making them gives the same result. Which way is taken is found out at run time.

/// The products of a row's codes (four to a byte, 0 to 3) with the query (-127 to 127), summed up. The first
/// quarter of the query meets the lowest two bits of the codes' bytes, the last the highest; it must be four
/// times as long.
pub(super) fn sum(codes: &[u8], query: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512vnni")
            && std::arch::is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the processor has what the function needs; see the line above.
            #[allow(unsafe_code)]
            return unsafe { sum_vnni(codes, query) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function needs; see the line above.
            #[allow(unsafe_code)]
            return unsafe { sum_avx2(codes, query) };
        }
    }
    sum_portable(codes, query, 0)
}

/// The sum from byte `from` of the codes on.
fn sum_portable(codes: &[u8], query: &[i8], from: usize) -> i32 {
    let Some(codes_left) = codes.get(from..) else { return 0 };
    let quarters = query.chunks_exact(codes.len().max(1)).zip([0, 2, 4, 6]);
    let of_quarter = |(quarter, shift): (&[i8], u32)| {
        let products = codes_left.iter().zip(&quarter[from..]);
        products.map(|(c, q)| i32::from(i16::from(c >> shift & 3) * i16::from(*q))).sum::<i32>()
    };
    quarters.map(of_quarter).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_storeu_si256};

    pub(super) const WIDTH: usize = 32;

    /// The quarters of a query in blocks.
    pub(super) fn quarters(query: &[i8], bytes: usize) -> [&[[u8; WIDTH]]; 4] {
        let query = bytemuck::cast_slice::<i8, u8>(query);
        [0, 1, 2, 3].map(|part| query[part * bytes..(part + 1) * bytes].as_chunks::<WIDTH>().0)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn load(bytes: &[u8; WIDTH]) -> __m256i {
        // SAFETY: the reference is to 32 bytes that may be read, and the instruction asks for no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_loadu_si256(bytes.as_ptr().cast())
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn total(sums: __m256i) -> i32 {
        let mut lanes = [0i32; 8];
        // SAFETY: there is room for eight numbers, and the instruction asks for no alignment.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums);
        }
        lanes.iter().sum()
    }
}

/// 128 codes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512vnni,avx512vl")]
fn sum_vnni(codes: &[u8], query: &[i8]) -> i32 {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_and_si256, _mm256_dpbusd_epi32, _mm256_set1_epi8, _mm256_setzero_si256,
        _mm256_srli_epi16,
    };
    let (blocks, rest) = codes.as_chunks::<{ x86::WIDTH }>();
    let [a, b, c, d] = x86::quarters(query, codes.len());
    let mask = _mm256_set1_epi8(3);
    // Two sums, so that one need not wait for the other.
    let (mut even, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for ((((block, a), b), c), d) in blocks.iter().zip(a).zip(b).zip(c).zip(d) {
        let block = x86::load(block);
        let second = _mm256_and_si256(_mm256_srli_epi16::<2>(block), mask);
        let third = _mm256_and_si256(_mm256_srli_epi16::<4>(block), mask);
        let fourth = _mm256_and_si256(_mm256_srli_epi16::<6>(block), mask);
        even = _mm256_dpbusd_epi32(even, _mm256_and_si256(block, mask), x86::load(a));
        odd = _mm256_dpbusd_epi32(odd, second, x86::load(b));
        even = _mm256_dpbusd_epi32(even, third, x86::load(c));
        odd = _mm256_dpbusd_epi32(odd, fourth, x86::load(d));
    }
    x86::total(_mm256_add_epi32(even, odd)) + sum_portable(codes, query, codes.len() - rest.len())
}

/// 128 codes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sum_avx2(codes: &[u8], query: &[i8]) -> i32 {
    use std::arch::x86_64::{
        _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
        _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_srli_epi16,
    };
    let (blocks, rest) = codes.as_chunks::<{ x86::WIDTH }>();
    let [a, b, c, d] = x86::quarters(query, codes.len());
    let mask = _mm256_set1_epi8(3);
    let ones = _mm256_set1_epi16(1);
    let mut sums = _mm256_setzero_si256();
    for ((((block, a), b), c), d) in blocks.iter().zip(a).zip(b).zip(c).zip(d) {
        let block = x86::load(block);
        let second = _mm256_and_si256(_mm256_srli_epi16::<2>(block), mask);
        let third = _mm256_and_si256(_mm256_srli_epi16::<4>(block), mask);
        let fourth = _mm256_and_si256(_mm256_srli_epi16::<6>(block), mask);
        // Two products of at most 3 * 127 each, four times: 3048 fits in 16 bits.
        let first = _mm256_maddubs_epi16(_mm256_and_si256(block, mask), x86::load(a));
        let second = _mm256_maddubs_epi16(second, x86::load(b));
        let third = _mm256_maddubs_epi16(third, x86::load(c));
        let fourth = _mm256_maddubs_epi16(fourth, x86::load(d));
        let products = _mm256_add_epi16(_mm256_add_epi16(first, second), _mm256_add_epi16(third, fourth));
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(products, ones));
    }
    x86::total(sums) + sum_portable(codes, query, codes.len() - rest.len())
}

/// The products of two rows of eight-bit codes, summed up. The slices must be of one length.
pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function needs; see the line above.
        #[allow(unsafe_code)]
        return unsafe { dot_i8_avx2(a, b) };
    }
    dot_i8_portable(a, b)
}

#[inline]
fn dot_i8_portable(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// The same loop, which the compiler turns into 16 products at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_i8_avx2(a: &[i8], b: &[i8]) -> i32 {
    dot_i8_portable(a, b)
}

/// Asks the processor to bring `bytes` near, since they will be read soon. Nothing changes but the time that
/// takes.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for line in bytes.chunks(LINE) {
        // SAFETY: a prefetch reads and writes nothing that the program sees, and cannot fault, whatever the
        // address.
        #[allow(unsafe_code)]
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, LINE);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way that this processor has.
    fn all_sums(codes: &[u8], query: &[i8]) -> Vec<i32> {
        let mut sums = vec![sum(codes, query), sum_portable(codes, query, 0)];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function needs; see the line above.
            #[allow(unsafe_code)]
            sums.push(unsafe { sum_avx2(codes, query) });
        }
        sums
    }

    #[test]
    fn all_ways_give_the_same_sum() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        for bytes in [0, 1, 16, 31, 32, 33, 48, 160, 272, 320] {
            let codes: Vec<u8> = (0..bytes).map(|_| next()).collect();
            let query: Vec<i8> = (0..4 * bytes).map(|_| (next() as i8).max(-127)).collect();
            let expected: i32 = (0..4 * bytes)
                .map(|at| i32::from(codes[at % bytes] >> (2 * (at / bytes)) & 3) * i32::from(query[at]))
                .sum();
            for sum in all_sums(&codes, &query) {
                assert_eq!(sum, expected, "{bytes} bytes");
            }
        }
        // The largest numbers there are, so that nothing may overflow on the way.
        for sign in [1, -1] {
            for sum in all_sums(&[0xff; 320], &[127 * sign as i8; 1280]) {
                assert_eq!(sum, sign * 1280 * 3 * 127);
            }
        }
    }

    #[test]
    fn products_of_eight_bits_are_the_same_on_every_processor() {
        for bytes in [0, 1, 15, 16, 33, 640] {
            let a: Vec<i8> = (0..bytes).map(|i| (i * 37 % 255 - 127) as i8).collect();
            let b: Vec<i8> = (0..bytes).map(|i| (i * 91 % 255 - 127) as i8).collect();
            prefetch(bytemuck::cast_slice(&a));
            assert_eq!(dot_i8(&a, &b), dot_i8_portable(&a, &b), "{bytes} elements");
        }
        assert_eq!(dot_i8(&[-127; 640], &[-127; 640]), 640 * 127 * 127);
    }
}
