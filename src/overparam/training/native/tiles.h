/* Products of bfloat16 by tiles of 16 x 16 sums, where the processor has such registers (AMX).
 *
 * A tile of words is 16 rows of one cache line. The layouts of product.h are those that the
 * instruction wants; it takes whole tiles, so rows and words of A are padded to 16 in memory, and
 * words of B up to there are zero where those of A are not. Rows of C beyond the last are written.
 */

#if defined(BFLOAT16) && defined(__AMX_BF16__) && defined(__linux__)
#define TILES
#include <sys/syscall.h>
#include <unistd.h>

#define TILE LANES      /* rows and words of a tile */
#define FEWEST_WORDS 64 /* rows x words of A: below, most of a tile is padding */

/* Whether the system lets this process use tiles: asked once, the answer is the same in all
 * threads. What is asked for is ARCH_REQ_XCOMP_PERM of XTILEDATA (Linux 5.16 and later). */
static int tiles_allowed(void) {
    static int allowed = -1;
    if (allowed < 0) allowed = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
    return allowed;
}

/* A thread's tiles, all of 16 rows of 64 bytes, from here to put_tiles_back. Constant, and so in
 * memory: the instruction does not tell the compiler that it reads there. */
static void take_tiles(void) {
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    if (tiles_allowed()) _tile_loadconfig(&config);
}

static void put_tiles_back(void) {
    if (tiles_allowed()) _tile_release();
}

/* Rows of C in tiles, `down` (1 or 2) below each other and `across` beside each other. */
INLINE void tile_block(const int down, const int across, int n_words, const word_t *a, long a_row,
                       const word_t *b, long b_row, sum_t *c, long c_row) {
    const long a_bytes = a_row * 4, b_bytes = b_row * 4, c_bytes = c_row * 4;
    _tile_zero(0);
    if (across > 1) _tile_zero(1);
    if (down > 1) _tile_zero(2);
    if (down > 1 && across > 1) _tile_zero(3);
    for (int k = 0; k < n_words; k += TILE) {
        _tile_loadd(4, a + k, a_bytes);
        _tile_loadd(6, b + k * b_row, b_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if (across > 1) {
            _tile_loadd(7, b + k * b_row + TILE, b_bytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (down > 1) {
            _tile_loadd(5, a + TILE * a_row + k, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (down > 1 && across > 1) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if (across > 1) _tile_stored(1, c + TILE, c_bytes);
    if (down > 1) _tile_stored(2, c + TILE * c_row, c_bytes);
    if (down > 1 && across > 1) _tile_stored(3, c + TILE * c_row + TILE, c_bytes);
}

static void tile_panel(int rows, int n_columns, int n_words, const word_t *a, long a_row,
                       const word_t *b, long b_row, sum_t *c, long c_row) {
    /* The instructions do not tell the compiler what memory they read and write. */
    __asm__ volatile("" ::: "memory");
    for (int n = 0; n < n_columns; n += 2 * TILE) {
        int across = n + TILE < n_columns ? 2 : 1;
        if (rows > TILE && across > 1)
            tile_block(2, 2, n_words, a, a_row, b + n, b_row, c + n, c_row);
        else if (rows > TILE)
            tile_block(2, 1, n_words, a, a_row, b + n, b_row, c + n, c_row);
        else if (across > 1)
            tile_block(1, 2, n_words, a, a_row, b + n, b_row, c + n, c_row);
        else
            tile_block(1, 1, n_words, a, a_row, b + n, b_row, c + n, c_row);
    }
    __asm__ volatile("" ::: "memory");
}
#else
static void take_tiles(void) {}
static void put_tiles_back(void) {}
#endif
