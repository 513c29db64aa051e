/* Networks, what is done with them, and the memory in which it is done. */

#define MOST_LAYERS 64
#define MOST_ROWS 256 /* passed at a time: what a layer puts out for them stays in the cache */

enum { CROSS_ENTROPY, SQUARED_ERROR };
enum { SGD, ADAM, ADAMW };
enum { IDENTITY, RELU, TANH };

/* Sizes of input, hidden layers and output; an activation for each hidden layer. */
typedef struct {
    int64_t n_layers;
    int64_t dims[MOST_LAYERS + 1], activations[MOST_LAYERS], has_bias[MOST_LAYERS];
} Network;

typedef struct {
    int64_t loss, optimizer;
    double learning_rate, momentum, decay, beta1, beta2, epsilon;
} Rule;

/* The rows to visit, in this order: rows[i] of the inputs, with class classes[i] (or, where
 * classes is NULL, the targets [i, k] of the sums' type). */
typedef struct {
    const void *inputs;
    const int64_t *rows, *classes;
    const void *targets;
    int64_t n, batch;
} Visit;

/* Parameters of a layer in the caller's flat tensors: values (NULL where there are none), and
 * the optimizer's moments (NULL where it has none). */
typedef struct {
    sum_t *values, *first, *second;
} Parameters;

/* Layer l of n_in units below and n_out above; see dense.c for the layouts. */
typedef struct {
    int n_in, n_out, in_words, out_words; /* words: PAIR units each */
    int in_row, out_row, units_row;       /* words below, words above, units below, all padded */
    Parameters weight, bias;
    sum_t *weight_gradient, *bias_gradient; /* where a batch is passed in parts, else NULL */
    item_t *weights;
    word_t *back, *below, *below_t;
    item_t *below_rows;
} Layer;

typedef struct {
    int n_layers, n_outputs;
    int columns, batch_words; /* the most rows at a time, padded to vectors of sums; in words */
    int items;                /* of a row of rounded numbers: columns, padded to vectors */
    Layer layers[MOST_LAYERS];
    item_t *gathered, *signal, *next_signal;
    word_t *signal_words, *mixed;
    sum_t *panel, *outputs, *row;
} Work;

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))

/* Batches that are little larger are passed whole: adding up gradients costs as well. */
static int64_t rows_at_a_time(int64_t batch) { return batch < 2 * MOST_ROWS ? batch : MOST_ROWS; }

static int padded(int n) { return (n + LANES - 1) / LANES * LANES; }

static void *take(char **free, int64_t n, int64_t size) {
    void *taken = *free;
    *free += (n * size + 63) / 64 * 64;
    return taken;
}

static Parameters take_parameters(Parameters *flat, int64_t n) {
    Parameters taken = *flat;
    if (n == 0) taken.values = NULL;
    flat->values += n;
    if (flat->first) flat->first += n;
    if (flat->second) flat->second += n;
    return taken;
}

/* Lay out a network's work in scratch memory; returns the bytes it takes. */
static int64_t lay_out(Work *work, const Network *network, int64_t batch, Parameters flat,
                       char *scratch) {
    char *free = scratch;
    int rows = (int)rows_at_a_time(batch), in_parts = rows < batch;
    int columns = padded(rows), items = padded(columns / PAIR) * PAIR;
    int widest = 0;
    int64_t largest = 0;
#define TAKE(n, type) (type *)take(&free, n, sizeof(type))
    work->n_layers = (int)network->n_layers, work->columns = columns;
    work->items = items, work->batch_words = (rows + PAIR - 1) / PAIR;
    for (int l = 0; l < work->n_layers; l++) {
        Layer *layer = &work->layers[l];
        int n_in = (int)network->dims[l], n_out = (int)network->dims[l + 1];
        layer->n_in = n_in, layer->n_out = n_out;
        layer->in_words = (n_in + PAIR - 1) / PAIR, layer->out_words = (n_out + PAIR - 1) / PAIR;
        layer->in_row = padded(layer->in_words), layer->out_row = padded(layer->out_words);
        layer->units_row = padded(n_in);
        layer->weight = take_parameters(&flat, (int64_t)n_in * n_out);
        layer->bias = take_parameters(&flat, network->has_bias[l] ? n_out : 0);
        layer->weight_gradient = in_parts ? TAKE((int64_t)n_in * n_out, sum_t) : NULL;
        layer->bias_gradient = in_parts ? TAKE(n_out, sum_t) : NULL;
        layer->weights = TAKE((int64_t)padded(n_out) * layer->in_row * PAIR, item_t);
        layer->back = l ? TAKE((int64_t)layer->units_row * layer->out_row, word_t) : NULL;
        layer->below = TAKE((int64_t)layer->in_row * columns, word_t);
        layer->below_t = TAKE((int64_t)padded(work->batch_words) * layer->units_row, word_t);
        layer->below_rows = l ? TAKE((int64_t)layer->units_row * items, item_t) : NULL;
        widest = LARGER(widest, LARGER(n_in, n_out));
        if (l) largest = LARGER(largest, (int64_t)layer->units_row * layer->out_row);
    }
    work->n_outputs = (int)network->dims[work->n_layers];
    int64_t wide = padded(widest), wide_words = padded((widest + PAIR - 1) / PAIR);
    int64_t row = LARGER(columns, widest);
    work->gathered = TAKE((int64_t)columns * work->layers[0].in_row * PAIR, item_t);
    work->signal = TAKE(wide * items, item_t);
    work->next_signal = TAKE(wide * items, item_t);
    work->signal_words = TAKE(wide_words * columns, word_t);
    work->mixed = TAKE(largest, word_t);
    work->panel = TAKE(ROWS * (row + LANES), sum_t);
    work->outputs = TAKE((int64_t)(work->n_outputs + ROWS) * columns, sum_t);
    work->row = TAKE(columns, sum_t);
#undef TAKE
    return free - scratch;
}
