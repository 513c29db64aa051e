/* Batch normalization, and the max-pooling and ReLU that follow it, without maps in between.
 *
 * Why beside PyTorch: in a small convolutional network these three take longer than the
 * convolutions, since each reads and writes the whole map by itself. The maps are [images, height,
 * width, channels]. A window of the pooling is a square, and windows do not overlap; what is left
 * over at the lower and right edges belongs to none. A window of one entry is no pooling.
 */

#include "precision.h"

#define NO_ENTRY 255 /* of a window: what is largest in it does not pass the ReLU */

typedef struct {
    int64_t n_images, height, width, channels, window, relu;
    double epsilon;
} Maps;

/* Call NAME_16, NAME_8 or NAME_4: with as many channels at a time as divide all of them. */
#define BY_BLOCK(name, channels, ...)                                                              \
    ((channels) % 16 == 0  ? name##_16(__VA_ARGS__)                                                \
     : (channels) % 8 == 0 ? name##_8(__VA_ARGS__)                                                 \
                           : name##_4(__VA_ARGS__))
#define BLOCK 16
#include "window.h"
#define BLOCK 8
#include "window.h"
#define BLOCK 4
#include "window.h"

/* row [width * channels] = of [channels], again and again: what a whole row is computed with. */
static void repeat(const Maps *maps, const double *of, sum_t *row) {
    for (int64_t w = 0; w < maps->width; w++)
        for (int64_t c = 0; c < maps->channels; c++) row[w * maps->channels + c] = (sum_t)of[c];
}

/* sums [channels] += what is in a row of its own for each place. */
static void add_up(const Maps *maps, const sum_t *row, double *sums) {
    for (int64_t w = 0; w < maps->width; w++)
        for (int64_t c = 0; c < maps->channels; c++) sums[c] += row[w * maps->channels + c];
}

/* Mean, and mean square about it, of each channel. rows: scratch [2, width * channels]. */
void moments(const Maps *maps, const item_t *inputs, double *mean, double *variance, sum_t *rows) {
    const int64_t length = maps->width * maps->channels;
    const double count = (double)(maps->n_images * maps->height * maps->width);
    sum_t *sums = rows, *means = rows + length;
    for (int pass = 0; pass < 2; pass++) {
        double *found = pass ? variance : mean;
        for (int64_t c = 0; c < maps->channels; c++) found[c] = 0;
        if (pass) repeat(maps, mean, means);
        for (int64_t image = 0; image < maps->n_images; image++) {
            for (int64_t i = 0; i < length; i++) sums[i] = 0;
            for (int64_t h = 0; h < maps->height; h++) {
                const item_t *at = inputs + (image * maps->height + h) * length;
                if (pass)
                    for (int64_t i = 0; i < length; i++) {
                        sum_t off = widen(at[i]) - means[i];
                        sums[i] += off * off;
                    }
                else
                    for (int64_t i = 0; i < length; i++) sums[i] += widen(at[i]);
            }
            add_up(maps, sums, found);
        }
        for (int64_t c = 0; c < maps->channels; c++) found[c] /= count;
    }
}

/* outputs = relu(max over windows of weight (input - mean) / sqrt(variance + epsilon) + bias).
 *
 * outputs, which: [images, height / window, width / window, channels]; which: the largest entry of
 * the window, counted by rows. rows: scratch [2, width * channels]. */
void forward(const Maps *maps, const item_t *inputs, const sum_t *weight, const sum_t *bias,
             const double *mean, const double *variance, item_t *outputs, uint8_t *which,
             sum_t *rows) {
    const int64_t channels = maps->channels, length = maps->width * channels;
    const int64_t high = maps->height / maps->window;
    const int64_t out_length = maps->width / maps->window * channels;
    sum_t *scales = rows, *shifts = rows + length;
    for (int64_t c = 0; c < channels; c++) {
        double scale = weight[c] / sqrt(variance[c] + maps->epsilon);
        for (int64_t i = c; i < length; i += channels) {
            scales[i] = (sum_t)scale;
            shifts[i] = (sum_t)(bias[c] - mean[c] * scale);
        }
    }
    for (int64_t h = 0; h < maps->n_images * high; h++) {
        const item_t *at = inputs + (h / high * maps->height + h % high * maps->window) * length;
        item_t *out = outputs + h * out_length;
        uint8_t *entry = which + h * out_length;
        if (maps->window > 1)
            BY_BLOCK(pool_row, channels, maps, at, scales, shifts, out, entry);
        else
            for (int64_t i = 0; i < length; i++) {
                sum_t value = widen(at[i]) * scales[i] + shifts[i];
                int stopped = maps->relu && value <= 0;
                out[i] = narrow(stopped ? 0 : value);
                entry[i] = stopped ? NO_ENTRY : 0;
            }
    }
}

/* Sums over all rows, [channels]: of the signal, and of the signal times the input off its mean.
 * rows: scratch [3, width * channels]. */
static void signal_sums(const Maps *maps, const item_t *inputs, const item_t *signal,
                        const uint8_t *which, const double *mean, double *sums, double *products,
                        sum_t *rows) {
    const int64_t length = maps->width * maps->channels, high = maps->height / maps->window;
    const int64_t out_length = maps->width / maps->window * maps->channels;
    sum_t *means = rows, *own_sums = rows + length, *own_products = rows + 2 * length;
    repeat(maps, mean, means);
    for (int64_t c = 0; c < maps->channels; c++) sums[c] = products[c] = 0;
    for (int64_t image = 0; image < maps->n_images; image++) {
        for (int64_t i = 0; i < 2 * length; i++) own_sums[i] = 0;
        for (int64_t h = image * high; h < (image + 1) * high; h++) {
            const item_t *at = inputs + (image * maps->height + h % high * maps->window) * length;
            const item_t *own = signal + h * out_length;
            const uint8_t *entry = which + h * out_length;
            if (maps->window > 1)
                BY_BLOCK(signal_row, maps->channels, maps, at, own, entry, means, own_sums,
                         own_products);
            else
                for (int64_t i = 0; i < length; i++) {
                    sum_t passed = entry[i] == NO_ENTRY ? 0 : widen(own[i]);
                    own_sums[i] += passed;
                    own_products[i] += passed * (widen(at[i]) - means[i]);
                }
        }
        add_up(maps, own_sums, sums);
        add_up(maps, own_products, products);
    }
}

/* From the signal at the outputs the gradients of weight, bias and inputs, in batch statistics:
 * with s the signal where it enters, x the input off its mean, v = variance + epsilon and the mean
 * over all places of a channel, gradient = weight / sqrt(v) (s - mean(s) - x mean(s x) / v).
 *
 * sums: scratch [4, channels]; rows: [3, width * channels]. */
void backward(const Maps *maps, const item_t *inputs, const item_t *signal, const uint8_t *which,
              const sum_t *weight, const double *mean, const double *variance, item_t *gradient,
              sum_t *weight_gradient, sum_t *bias_gradient, double *sums, sum_t *rows) {
    const int64_t channels = maps->channels, length = maps->width * channels;
    const int64_t high = maps->height / maps->window, wide = maps->width / maps->window;
    const double count = (double)(maps->n_images * maps->height * maps->width);
    double *products = sums + channels;
    sum_t *gains = rows, *slopes = rows + length, *shifts = rows + 2 * length;
    signal_sums(maps, inputs, signal, which, mean, sums, products, rows);
    for (int64_t c = 0; c < channels; c++) {
        double v = variance[c] + maps->epsilon, gain = weight[c] / sqrt(v);
        double slope = -gain * products[c] / count / v;
        bias_gradient[c] = (sum_t)sums[c];
        weight_gradient[c] = (sum_t)(products[c] / sqrt(v));
        for (int64_t i = c; i < length; i += channels) {
            gains[i] = (sum_t)gain;
            slopes[i] = (sum_t)slope;
            shifts[i] = (sum_t)(-gain * sums[c] / count - slope * mean[c]);
        }
    }
    for (int64_t row = 0; row < maps->n_images * maps->height; row++) {
        const int64_t h = row % maps->height, own = h / maps->window;
        const int64_t out = (row / maps->height * high + own) * wide * channels;
        const item_t *at = inputs + row * length;
        item_t *to = gradient + row * length;
        int64_t outside = own < high ? wide * maps->window * channels : 0;
        if (maps->window == 1)
            for (int64_t i = 0; i < length; i++) {
                sum_t passed = which[out + i] == NO_ENTRY ? 0 : widen(signal[out + i]) * gains[i];
                to[i] = narrow(passed + widen(at[i]) * slopes[i] + shifts[i]);
            }
        else if (own < high && h % maps->window == 0)
            BY_BLOCK(spread_row, channels, maps, at, signal + out, which + out, gains, slopes,
                     shifts, to);
        for (int64_t i = outside; i < length; i++)
            to[i] = narrow(widen(at[i]) * slopes[i] + shifts[i]);
    }
}
