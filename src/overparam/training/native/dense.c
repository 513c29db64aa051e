/* Training of one fully connected network at a time, all of an epoch in one call.
 *
 * Why beside PyTorch: an update of a perceptron with 30 hidden units is some thirty calls of
 * PyTorch, each of which takes longer than the arithmetic in it; and between the products of a
 * large one every number goes to memory and back. Here an update makes no calls, and bias,
 * activation and the optimizer's update happen while a panel of a product is in the first cache.
 *
 * Layouts, in words of precision.h, for layer l of n_in units below and n_out above:
 *
 *   weights    [n_out, n_in / PAIR]   forward:  units above = weights x units below
 *   back       [n_in, n_out / PAIR]   backward: signal below = back x signal above
 *   below      [n_in / PAIR, batch]   what forward multiplies
 *   below_rows [n_in, batch / PAIR]   the same by units: for the activation's derivative
 *   below_t    [batch / PAIR, n_in]   what the gradient multiplies: signal x below_t
 *   signal     [n_out, batch / PAIR], and [n_out / PAIR, batch] for the layer below
 *
 * Rows beyond the batch are padding up to whole vectors: their signal is zero.
 */

#include "precision.h"

#include "product.h"

#include "network.h"

#include "pointwise.h"

/* Round the weights of one unit above for the products of the next update. */
static void round_weights(const Layer *layer, int o) {
    narrow_all(layer->n_in, layer->weight.values + (int64_t)o * layer->n_in,
               layer->weights + (int64_t)o * layer->in_row * PAIR);
}

static void turn_weights(Work *work, Layer *layer) {
    if (layer->back == NULL) return;
    interleave(layer->n_out, layer->n_in, layer->weights, layer->in_row * PAIR, work->mixed,
               layer->units_row);
    transpose(layer->out_words, layer->n_in, work->mixed, layer->units_row, layer->back,
              layer->out_row);
}

/* Gather a batch and lay it out for the first layer. */
static void gather(Work *work, const Visit *visit, int64_t start, int batch) {
    Layer *layer = &work->layers[0];
    int stride = layer->in_row * PAIR;
    for (int b = 0; b < batch; b++)
        memcpy(work->gathered + (int64_t)b * stride,
               (const item_t *)visit->inputs + visit->rows[start + b] * layer->n_in,
               (size_t)layer->n_in * sizeof(item_t));
    transpose(batch, layer->in_words, (const word_t *)work->gathered, layer->in_row, layer->below,
              work->columns);
}

/* Fill the layers' units, and the outputs [n_outputs, columns]. */
static void forward(Work *work, const Network *network) {
    int columns = work->columns;
    for (int l = 0; l < work->n_layers; l++) {
        Layer *layer = &work->layers[l], *above = layer + 1;
        int last = l + 1 == work->n_layers;
        for (int o = 0; o < layer->n_out; o += ROWS) {
            int rows = SMALLER(ROWS, layer->n_out - o);
            sum_t *units = last ? work->outputs + (int64_t)o * columns : work->panel;
            panel(rows, columns, layer->in_words,
                  (const word_t *)layer->weights + (int64_t)o * layer->in_row, layer->in_row,
                  layer->below, columns, units, columns);
            for (int r = 0; r < rows; r++) {
                sum_t bias = layer->bias.values ? layer->bias.values[o + r] : 0;
                item_t *kept = last ? NULL : above->below_rows + (int64_t)(o + r) * work->items;
                activate(last ? IDENTITY : (int)network->activations[l], columns, bias,
                         units + r * columns, kept);
            }
            if (!last)
                interleave(rows, columns, above->below_rows + (int64_t)o * work->items, work->items,
                           above->below + (int64_t)o / PAIR * columns, columns);
        }
    }
}

/* Take n gradients that one part of a batch gave: add them up, and update with the last part's. */
static void take_gradients(const Step *step, int is_first, const Parameters *parameters, int64_t at,
                           int n, sum_t *gradient, sum_t *sums) {
    if (sums && is_first)
        memcpy(sums + at, gradient, (size_t)n * sizeof(sum_t));
    else if (sums)
        for (int i = 0; i < n; i++) sums[at + i] += gradient[i];
    if (step) descend(step, parameters, at, n, sums ? sums + at : gradient);
}

/* The signal at the outputs is in `signal`: carry it down. step: NULL but for the last part of a
 * batch, with which every layer is updated. */
static void backward(Work *work, const Network *network, const Step *step, int is_first) {
    int columns = work->columns, items = work->items;
    for (int l = work->n_layers - 1; l >= 0; l--) {
        Layer *layer = &work->layers[l];
        int n_in = layer->n_in;
        if (l > 0) {
            interleave(layer->n_out, columns, work->signal, items, work->signal_words, columns);
            memset(work->signal_words + (int64_t)layer->out_words * columns, 0,
                   (size_t)(layer->out_row - layer->out_words) * columns * sizeof(word_t));
            for (int i = 0; i < n_in; i += ROWS) {
                int rows = SMALLER(ROWS, n_in - i);
                panel(rows, columns, layer->out_words, layer->back + (int64_t)i * layer->out_row,
                      layer->out_row, work->signal_words, columns, work->panel, columns);
                for (int r = 0; r < rows; r++)
                    through((int)network->activations[l - 1], columns,
                            layer->below_rows + (int64_t)(i + r) * items, work->panel + r * columns,
                            work->next_signal + (int64_t)(i + r) * items);
            }
            transpose(n_in, work->batch_words, (const word_t *)layer->below_rows, items / PAIR,
                      layer->below_t, layer->units_row);
        } else
            interleave(work->batch_words * PAIR, n_in, work->gathered, layer->in_row * PAIR,
                       layer->below_t, layer->units_row);
        for (int o = 0; o < layer->n_out; o += ROWS) {
            int rows = SMALLER(ROWS, layer->n_out - o);
            const item_t *signal = work->signal + (int64_t)o * items;
            panel(rows, n_in, work->batch_words, (const word_t *)signal, items / PAIR,
                  layer->below_t, layer->units_row, work->panel, layer->units_row);
            for (int r = 0; r < rows; r++) {
                int64_t at = (int64_t)(o + r) * n_in;
                take_gradients(step, is_first, &layer->weight, at, n_in,
                               work->panel + r * layer->units_row, layer->weight_gradient);
                if (step) round_weights(layer, o + r); /* while they are in the first cache */
            }
            if (layer->bias.values) {
                sum_t gradient[ROWS];
                for (int r = 0; r < rows; r++)
                    gradient[r] = total(columns, signal + (int64_t)r * items);
                take_gradients(step, is_first, &layer->bias, o, rows, gradient,
                               layer->bias_gradient);
            }
        }
        if (step) turn_weights(work, layer);
        item_t *done = work->signal;
        work->signal = work->next_signal, work->next_signal = done;
    }
}

/* Bytes of scratch memory that a network needs for batches of this size. */
int64_t scratch(const Network *network, int64_t batch) {
    Work work;
    return lay_out(&work, network, batch, (Parameters){NULL, NULL, NULL}, NULL);
}

/* One update per batch of the visit. factors: of the learning rate, one per update. n_before:
 * updates made before. weights, first, second: flat, weight and bias of each layer in turn. */
void train(const Network *network, const Rule *rule, const Visit *visit, const double *factors,
           int64_t n_before, sum_t *weights, sum_t *first, sum_t *second, char *scratch) {
    Work work;
    int64_t batch = visit->batch;
    int64_t bytes = lay_out(&work, network, batch, (Parameters){weights, first, second}, scratch);
    memset(scratch, 0, (size_t)bytes); /* padding must be finite: it is multiplied by zero */
    take_tiles();
    for (int l = 0; l < work.n_layers; l++) {
        for (int o = 0; o < work.layers[l].n_out; o++) round_weights(&work.layers[l], o);
        turn_weights(&work, &work.layers[l]);
    }
    int64_t update = 0, most = rows_at_a_time(batch);
    for (int64_t start = 0; start < visit->n; start += batch, update++) {
        int64_t end = SMALLER(start + batch, visit->n);
        Step step = make_step(rule, factors[update], n_before + update + 1);
        for (int64_t at = start; at < end; at += most) {
            int rows = (int)SMALLER(most, end - at);
            gather(&work, visit, at, rows);
            forward(&work, network);
            loss_signal(rule, visit, at, rows, (int)(end - start), &work);
            backward(&work, network, at + rows < end ? NULL : &step, at == start);
        }
    }
    put_tiles_back();
}

/* Sum of the losses, number of rows whose largest output is not their class, and of those, wrong
 * too, of which an output is NaN. */
void measure(const Network *network, const Rule *rule, const Visit *visit, sum_t *weights,
             char *scratch, double *loss, int64_t *n_wrong, int64_t *n_nan) {
    Work work;
    int64_t bytes = lay_out(&work, network, MOST_ROWS, (Parameters){weights, NULL, NULL}, scratch);
    memset(scratch, 0, (size_t)bytes);
    take_tiles();
    *loss = 0, *n_wrong = 0, *n_nan = 0;
    for (int l = 0; l < work.n_layers; l++)
        for (int o = 0; o < work.layers[l].n_out; o++) round_weights(&work.layers[l], o);
    for (int64_t start = 0; start < visit->n; start += MOST_ROWS) {
        int rows = (int)SMALLER(MOST_ROWS, visit->n - start);
        gather(&work, visit, start, rows);
        forward(&work, network);
        for (int b = 0; b < rows; b++)
            judge(rule, visit, start + b, work.n_outputs, work.columns, work.outputs + b, loss,
                  n_wrong, n_nan);
    }
    put_tiles_back();
}
