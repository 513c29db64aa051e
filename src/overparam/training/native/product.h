/* Products of matrices, and the layouts that they want.
 *
 * product: C [m, n] = A [m, k] B [k, n], where A is by rows, so that a word is PAIR neighbours of
 * one row, and B is by words: word (k, n) has items (PAIR k ... PAIR k + PAIR - 1, n). Rows of B
 * are padded to whole vectors. C is made a panel of ROWS rows at a time, which its user takes
 * while it is in the first cache: bias and activation, or the optimizer's update.
 */

#include "tiles.h"

#define FEW 6 /* rows of a block of vectors */
#if defined(TILES)
#define ROWS (2 * TILE) /* of a panel; a multiple of PAIR */
#else
#define ROWS FEW
#endif

INLINE void block(const int rows, const int vectors, int n_words, const word_t *a, long a_row,
                 const word_t *b, long b_row, sum_t *c, long c_row) {
    sums_t sums[FEW][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sums[r][v] = (sums_t){0};
    for (int k = 0; k < n_words; k++) {
        words_t words[VECTORS];
        for (int v = 0; v < vectors; v++) words[v] = *(const words_t *)(b + k * b_row + v * LANES);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++)
                sums[r][v] = multiply_add(sums[r][v], a[r * a_row + k], words[v]);
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) *(sums_t *)(c + r * c_row + v * LANES) = sums[r][v];
}

/* Rows of C, at most FEW of them: columns in blocks of VECTORS vectors, then what is left. */
static void vector_panel(int rows, int n_columns, int n_words, const word_t *a, long a_row,
                  const word_t *b, long b_row, sum_t *c, long c_row) {
    int left = (n_columns + LANES - 1) / LANES;
#define CASE(r, v)                                                                                 \
    case (r) * 8 + (v):                                                                            \
        block(r, v, n_words, a, a_row, b, b_row, c, c_row);                                        \
        break;
#define CASES(v) CASE(1, v) CASE(2, v) CASE(3, v) CASE(4, v) CASE(5, v) CASE(6, v)
    while (left > 0) {
        int vectors = left < VECTORS ? left : VECTORS;
        if (left > VECTORS && left < 2 * VECTORS) vectors = (left + 1) / 2; /* 3 + 2, not 4 + 1 */
        switch (rows * 8 + vectors) {
            CASES(1)
            CASES(2)
#if VECTORS > 2
            CASES(3)
            CASES(4)
#endif
        }
        left -= vectors, b += vectors * LANES, c += vectors * LANES;
    }
#undef CASES
#undef CASE
}

/* Rows of C, at most ROWS of them. */
static void panel(int rows, int n_columns, int n_words, const word_t *a, long a_row,
                  const word_t *b, long b_row, sum_t *c, long c_row) {
#if defined(TILES)
    if (rows * n_words >= FEWEST_WORDS && tiles_allowed()) {
        tile_panel(rows, n_columns, n_words, a, a_row, b, b_row, c, c_row);
        return;
    }
#endif
    for (int r = 0; r < rows; r += FEW)
        vector_panel(rows - r < FEW ? rows - r : FEW, n_columns, n_words, a + r * a_row, a_row, b,
                     b_row, c + r * c_row, c_row);
}

/* Words of two vectors in turn: the lower halves of both, and the upper halves. */
#if LANES == 16
#define LOWER 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOWER 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER 4, 12, 5, 13, 6, 14, 7, 15
#elif LANES == 4
#define LOWER 0, 4, 1, 5
#define UPPER 2, 6, 3, 7
#else
#define LOWER 0, 2
#define UPPER 1, 3
#endif

/* Transpose a block of LANES x LANES words: log2(LANES) times, rows of the two halves in turn. */
INLINE void transpose_block(const word_t *from, long from_row, word_t *to, long to_row) {
    words_t rows[LANES], mixed[LANES];
    for (int i = 0; i < LANES; i++) rows[i] = *(const words_t *)(from + i * from_row);
    for (int stage = 1; stage < LANES; stage *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            mixed[2 * i] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], LOWER);
            mixed[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], UPPER);
        }
        for (int i = 0; i < LANES; i++) rows[i] = mixed[i];
    }
    for (int i = 0; i < LANES; i++) *(words_t *)(to + i * to_row) = rows[i];
}

/* to [columns, rows] = from [rows, columns], in words; in whole blocks, so that both are to have
 * room for rows and columns padded to LANES. */
static void transpose(int rows, int columns, const word_t *from, long from_row, word_t *to,
                      long to_row) {
    for (int r = 0; r < rows; r += LANES)
        for (int c = 0; c < columns; c += LANES)
            transpose_block(from + r * from_row + c, from_row, to + c * to_row + r, to_row);
}

/* Words of PAIR rows side by side: to [rows / PAIR, columns] = from [rows, columns] in items. */
static void interleave(int rows, int columns, const item_t *from, long from_row, word_t *to,
                       long to_row) {
    for (int r = 0; r < rows; r += PAIR) {
        const item_t *first = from + r * from_row;
        word_t *out = to + r / PAIR * to_row;
        if (r + PAIR <= rows) {
            const item_t *second = first + (PAIR - 1) * from_row;
            for (int c = 0; c < columns; c++) out[c] = join(first[c], second[c]);
        } else
            for (int c = 0; c < columns; c++) out[c] = join(first[c], 0);
    }
}
