/* What a precision is to the kernels: its numbers, its vectors, and one step of a product.
 *
 * Everything is compiled once per precision, with one of FLOAT32, FLOAT64, BFLOAT16 defined.
 *
 *   sum_t   numbers in which weights, sums and outputs are kept
 *   item_t  numbers that are multiplied
 *   word_t  what one step of a product takes of one operand: PAIR items side by side (a bfloat16
 *           product of the processor multiplies and adds two at a time)
 *   mark_t  whole numbers as wide as sums, for comparisons lane by lane
 *   LANES   sums in one vector; a vector of words has as many
 */

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
#define VECTORS 4 /* in a block: 6 x 4 sums, 4 words and a broadcast fill 32 registers */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define VECTORS 2
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define VECTORS 4
#else
#define VECTOR_BYTES 16
#define VECTORS 2
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(BFLOAT16) && !defined(__AVX512BF16__)
#error "this processor has no products of bfloat16"
#endif

#if defined(FLOAT64)
#define PAIR 1
#define LANES (VECTOR_BYTES / 8)
typedef double sum_t, item_t;
typedef uint64_t word_t;
typedef int64_t mark_t;
#elif defined(BFLOAT16)
#define PAIR 2
#define LANES (VECTOR_BYTES / 4)
typedef float sum_t;
typedef uint16_t item_t;
typedef uint32_t word_t;
typedef int32_t mark_t;
#else
#define PAIR 1
#define LANES (VECTOR_BYTES / 4)
typedef float sum_t, item_t;
typedef uint32_t word_t;
typedef int32_t mark_t;
#endif

typedef sum_t sums_t __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef word_t words_t __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

/* sums + word * words, item by item; the word is the same for all lanes. */
INLINE sums_t multiply_add(sums_t sums, word_t word, words_t words) {
#if defined(BFLOAT16)
    return (sums_t)_mm512_dpbf16_ps((__m512)sums, (__m512bh)_mm512_set1_epi32((int)word),
                                    (__m512bh)words);
#else
    item_t item;
    memcpy(&item, &word, sizeof item);
    return sums + item * (sums_t)words;
#endif
}

/* A number rounded to the nearest item, ties to even. */
INLINE item_t narrow(sum_t value) {
#if defined(BFLOAT16)
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (item_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
#else
    return value;
#endif
}

/* n numbers rounded, each as `narrow` does (but for those below 1e-38, which become 0). */
INLINE void narrow_all(int n, const sum_t *restrict values, item_t *restrict items) {
    int i = 0;
#if defined(BFLOAT16)
    for (; i + LANES <= n; i += LANES) {
        __m256bh some = _mm512_cvtneps_pbh(_mm512_loadu_ps(values + i));
        memcpy(items + i, &some, sizeof some);
    }
#endif
    for (; i < n; i++) items[i] = narrow(values[i]);
}

INLINE sum_t widen(item_t item) {
#if defined(BFLOAT16)
    uint32_t bits = (uint32_t)item << 16;
    sum_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
#else
    return item;
#endif
}

INLINE word_t join(item_t first, item_t second) {
#if defined(BFLOAT16)
    return (word_t)first | (word_t)second << 16;
#else
    (void)second;
    word_t word;
    memcpy(&word, &first, sizeof word);
    return word;
#endif
}
