/* One row of windows, BLOCK channels at a time; included once for each BLOCK. */

#define NAMED_(name, block) name##_##block
#define NAMED(name, block) NAMED_(name, block)
#define sums_b NAMED(sums, BLOCK)
#define marks_b NAMED(marks, BLOCK)
#define items_b NAMED(items, BLOCK)
#define bytes_b NAMED(bytes, BLOCK)

typedef sum_t sums_b __attribute__((vector_size(BLOCK * sizeof(sum_t)), aligned(4), may_alias));
typedef mark_t marks_b __attribute__((vector_size(BLOCK * sizeof(sum_t)), aligned(4), may_alias));
typedef item_t items_b __attribute__((vector_size(BLOCK * sizeof(item_t)), aligned(2), may_alias));
typedef uint8_t bytes_b __attribute__((vector_size(BLOCK), aligned(1), may_alias));

INLINE sums_b NAMED(load, BLOCK)(const item_t *items) {
    items_b loaded = *(const items_b *)items;
#if defined(BFLOAT16)
    return (sums_b)(__builtin_convertvector(loaded, marks_b) << 16);
#else
    return loaded;
#endif
}

INLINE void NAMED(store, BLOCK)(item_t *items, sums_b values) {
#if defined(BFLOAT16)
    marks_b bits = (marks_b)values;
    *(items_b *)items =
        __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, items_b);
#else
    *(items_b *)items = values;
#endif
}

INLINE sums_b NAMED(select, BLOCK)(marks_b where, sums_b values, sums_b others) {
    return (sums_b)(((marks_b)values & where) | ((marks_b)others & ~where));
}

/* The largest of scale x input + shift in each window, and its entry. */
static void NAMED(pool_row, BLOCK)(const Maps *maps, const item_t *inputs, const sum_t *scale,
                                   const sum_t *shift, item_t *outputs, uint8_t *which) {
    const int64_t channels = maps->channels, length = maps->width * channels;
    for (int64_t w = 0; w < maps->width / maps->window; w++)
        for (int64_t c = 0; c < channels; c += BLOCK) {
            sums_b scales = *(const sums_b *)(scale + c), shifts = *(const sums_b *)(shift + c);
            sums_b best = (sums_b){0} - INFINITY;
            marks_b entry = {0};
            for (int64_t i = 0; i < maps->window; i++)
                for (int64_t j = 0; j < maps->window; j++) {
                    const item_t *at = inputs + i * length + (w * maps->window + j) * channels + c;
                    sums_b value = NAMED(load, BLOCK)(at) * scales + shifts;
                    marks_b larger = ~(marks_b)(value <= best); /* also what is not a number */
                    best = NAMED(select, BLOCK)(larger, value, best);
                    entry = (entry & ~larger) | ((mark_t)(i * maps->window + j) & larger);
                }
            if (maps->relu) {
                marks_b stopped = (marks_b)(best <= 0);
                best = NAMED(select, BLOCK)(stopped, (sums_b){0}, best);
                entry |= NO_ENTRY & stopped;
            }
            NAMED(store, BLOCK)(outputs + w * channels + c, best);
            *(bytes_b *)(which + w * channels + c) = __builtin_convertvector(entry, bytes_b);
        }
}

/* Add the signal, and the signal times the input off its mean where the signal enters. */
static void NAMED(signal_row, BLOCK)(const Maps *maps, const item_t *inputs, const item_t *signal,
                                     const uint8_t *which, const sum_t *mean, sum_t *sums,
                                     sum_t *products) {
    const int64_t channels = maps->channels, length = maps->width * channels;
    for (int64_t c = 0; c < channels; c += BLOCK) {
        sums_b means = *(const sums_b *)(mean + c), sum = {0}, product = {0};
        for (int64_t w = 0; w < maps->width / maps->window; w++) {
            marks_b entry =
                __builtin_convertvector(*(const bytes_b *)(which + w * channels + c), marks_b);
            sums_b off = {0};
            for (int64_t i = 0; i < maps->window; i++)
                for (int64_t j = 0; j < maps->window; j++) {
                    const item_t *at = inputs + i * length + (w * maps->window + j) * channels + c;
                    marks_b here = (marks_b)(entry == (mark_t)(i * maps->window + j));
                    off = NAMED(select, BLOCK)(here, NAMED(load, BLOCK)(at) - means, off);
                }
            sums_b passed =
                NAMED(select, BLOCK)((marks_b)(entry != NO_ENTRY),
                                     NAMED(load, BLOCK)(signal + w * channels + c), (sums_b){0});
            sum += passed;
            product += passed * off;
        }
        *(sums_b *)(sums + c) += sum;
        *(sums_b *)(products + c) += product;
    }
}

/* gradient = gain x signal where it enters + slope x input + shift. */
static void NAMED(spread_row, BLOCK)(const Maps *maps, const item_t *inputs, const item_t *signal,
                                     const uint8_t *which, const sum_t *gain, const sum_t *slope,
                                     const sum_t *shift, item_t *gradient) {
    const int64_t channels = maps->channels, length = maps->width * channels;
    for (int64_t w = 0; w < maps->width / maps->window; w++)
        for (int64_t c = 0; c < channels; c += BLOCK) {
            marks_b entry =
                __builtin_convertvector(*(const bytes_b *)(which + w * channels + c), marks_b);
            sums_b own =
                NAMED(load, BLOCK)(signal + w * channels + c) * *(const sums_b *)(gain + c);
            sums_b slopes = *(const sums_b *)(slope + c), shifts = *(const sums_b *)(shift + c);
            for (int64_t i = 0; i < maps->window; i++)
                for (int64_t j = 0; j < maps->window; j++) {
                    int64_t at = i * length + (w * maps->window + j) * channels + c;
                    marks_b here = (marks_b)(entry == (mark_t)(i * maps->window + j));
                    sums_b passed = NAMED(select, BLOCK)(here, own, (sums_b){0});
                    NAMED(store, BLOCK)(gradient + at,
                                        passed + NAMED(load, BLOCK)(inputs + at) * slopes + shifts);
                }
        }
}

#undef NAMED
#undef NAMED_
#undef sums_b
#undef marks_b
#undef items_b
#undef bytes_b
#undef BLOCK
