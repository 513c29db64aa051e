/* What happens to numbers one by one: activations, losses, the optimizers. */

#if defined(FLOAT64)
static inline double exponential(double x) { return exp(x); }
static inline double hyperbolic(double x) { return tanh(x); }
static inline double root(double x) { return sqrt(x); }
#else
static inline float root(float x) { return sqrtf(x); }

/* e^x for x <= 88, within 2e-7 of its value: 2^n e^r with |r| <= ln(2) / 2, and the series of e^r
 * to its seventh power. Branches are selections, so that the compiler makes vectors of it. */
INLINE float exponential(float x) {
    x = x < -87 ? -87 : x;
    x = x > 88 ? 88 : x;
    const float to_whole = 12582912; /* 1.5 x 2^23: what is added rounds to a whole number */
    float shifted = x * 1.44269504f + to_whole, n = shifted - to_whole;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float sum = 1 + r * (1.f / 7);
    sum = 1 + r * (1.f / 6) * sum;
    sum = 1 + r * (1.f / 5) * sum;
    sum = 1 + r * (1.f / 4) * sum;
    sum = 1 + r * (1.f / 3) * sum;
    sum = 1 + r * (1.f / 2) * sum;
    sum = 1 + r * sum;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int32_t)((uint32_t)bits << 23) + 0x3f800000;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power * sum;
}

INLINE float hyperbolic(float x) {
    float bounded = x > 10 ? 10 : x;
    bounded = bounded < -10 ? -10 : bounded;
    float far = 1 - 2 / (exponential(2 * bounded) + 1), square = x * x;
    float near = x * (1 - square * (1.f / 3) * (1 - square * 0.4f));
    return square < 0.0225f ? near : far;
}
#endif

/* units <- f(units + bias), and the same rounded into kept (may be NULL). */
static void activate(int kind, int n, sum_t bias, sum_t *units, item_t *kept) {
    if (kind == RELU)
        for (int b = 0; b < n; b++) {
            sum_t unit = units[b] + bias;
            units[b] = unit < 0 ? 0 : unit; /* lets what is not a number through */
        }
    else if (kind == TANH)
        for (int b = 0; b < n; b++) units[b] = hyperbolic(units[b] + bias);
    else
        for (int b = 0; b < n; b++) units[b] += bias;
    if (kept) narrow_all(n, units, kept);
}

/* signal <- gradient x f'(.), the derivative written in the activation's value. */
static void through(int kind, int n, const item_t *units, const sum_t *gradient, item_t *signal) {
    if (kind == RELU)
        for (int b = 0; b < n; b++) signal[b] = widen(units[b]) > 0 ? narrow(gradient[b]) : 0;
    else if (kind == TANH)
        for (int b = 0; b < n; b++) {
            sum_t unit = widen(units[b]);
            signal[b] = narrow(gradient[b] * (1 - unit * unit));
        }
    else
        for (int b = 0; b < n; b++) signal[b] = narrow(gradient[b]);
}

static sum_t total(int n, const item_t *items) {
    sum_t sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int b = 0; b < n; b++) sum += widen(items[b]);
    return sum;
}

/* work->signal <- d(mean loss) / d(work->outputs); zero beyond these rows.
 *
 * rows: of the visit from `start` on. batch: rows over which the mean is. */
static void loss_signal(const Rule *rule, const Visit *visit, int64_t start, int rows, int batch,
                        Work *work) {
    const int n_outputs = work->n_outputs, columns = work->columns, items = work->items;
    sum_t *outputs = work->outputs, *row = work->row;
    item_t *signal = work->signal;
    const sum_t *targets = visit->targets;
    sum_t scale = (rule->loss == SQUARED_ERROR ? (sum_t)2 : (sum_t)1) / batch;
    if (rule->loss == CROSS_ENTROPY) {
        memcpy(row, outputs, (size_t)columns * sizeof(sum_t));
        for (int k = 1; k < n_outputs; k++)
            for (int b = 0; b < columns; b++) {
                sum_t output = outputs[k * columns + b];
                row[b] = row[b] > output ? row[b] : output;
            }
        for (int k = 0; k < n_outputs; k++)
            for (int b = 0; b < columns; b++)
                outputs[k * columns + b] = exponential(outputs[k * columns + b] - row[b]);
        for (int b = 0; b < columns; b++) row[b] = outputs[b];
        for (int k = 1; k < n_outputs; k++)
            for (int b = 0; b < columns; b++) row[b] += outputs[k * columns + b];
        for (int b = 0; b < columns; b++) row[b] = 1 / row[b];
        if (targets) /* -sum_k y_k log softmax_k has the gradient (sum_k y_k) softmax - y */
            for (int b = 0; b < rows; b++) {
                sum_t sum = 0;
                for (int k = 0; k < n_outputs; k++) sum += targets[(start + b) * n_outputs + k];
                row[b] *= sum;
            }
        for (int k = 0; k < n_outputs; k++)
            for (int b = 0; b < columns; b++) outputs[k * columns + b] *= row[b];
    }
    if (targets)
        for (int b = 0; b < rows; b++)
            for (int k = 0; k < n_outputs; k++)
                outputs[k * columns + b] -= targets[(start + b) * n_outputs + k];
    else
        for (int b = 0; b < rows; b++) outputs[visit->classes[start + b] * columns + b] -= 1;
    for (int k = 0; k < n_outputs; k++) {
        for (int b = 0; b < rows; b++)
            signal[k * items + b] = narrow(outputs[k * columns + b] * scale);
        for (int b = rows; b < columns; b++) signal[k * items + b] = 0;
    }
}

/* Add the loss of one row, whether it holds NaN, and whether it is wrong, as it is where it does;
 * outputs are `columns` apart. */
static void judge(const Rule *rule, const Visit *visit, int64_t at, int n_outputs, int columns,
                  const sum_t *outputs, double *loss, int64_t *n_wrong, int64_t *n_nan) {
    const sum_t *targets = visit->targets ? (const sum_t *)visit->targets + at * n_outputs : NULL;
    int64_t class = targets ? -1 : visit->classes[at], best = 0, is_nan = 0;
    for (int k = 0; k < n_outputs; k++) {
        if (outputs[k * columns] > outputs[best * columns]) best = k;
        is_nan |= outputs[k * columns] != outputs[k * columns];
    }
    double sum = 0, largest = outputs[best * columns];
    if (rule->loss == CROSS_ENTROPY) {
        double exponentials = 0;
        for (int k = 0; k < n_outputs; k++)
            exponentials += exponential((sum_t)(outputs[k * columns] - largest));
        double log_sum = largest + log(exponentials);
        for (int k = 0; k < n_outputs; k++) {
            double target = targets ? targets[k] : k == class;
            if (target != 0) sum += target * (log_sum - outputs[k * columns]);
        }
    } else
        for (int k = 0; k < n_outputs; k++) {
            double off = outputs[k * columns] - (targets ? (double)targets[k] : k == class);
            sum += off * off;
        }
    *loss += sum;
    *n_wrong += is_nan || best != class;
    *n_nan += is_nan;
}

/* One update's constants. */
typedef struct {
    int optimizer;
    sum_t rate, momentum, decay, keep1, keep2, epsilon, scale1, scale2;
} Step;

static Step make_step(const Rule *rule, double factor, int64_t number) {
    double rate = rule->learning_rate * factor;
    double scale1 = rule->optimizer == SGD ? 1 : 1 - pow(rule->beta1, (double)number);
    double scale2 = rule->optimizer == SGD ? 1 : 1 - pow(rule->beta2, (double)number);
    Step step = {
        (int)rule->optimizer,     (sum_t)rate,        (sum_t)rule->momentum, (sum_t)rule->decay,
        (sum_t)rule->beta1,       (sum_t)rule->beta2, (sum_t)rule->epsilon,  (sum_t)(rate / scale1),
        (sum_t)(1 / sqrt(scale2))};
    return step;
}

/* Update the n parameters from `at` on. */
static void descend(const Step *step, const Parameters *parameters, int64_t at, int n,
                    const sum_t *restrict gradient) {
    const Step s = *step;
    sum_t *restrict w = parameters->values + at;
    if (parameters->first == NULL) {
        for (int i = 0; i < n; i++) w[i] -= s.rate * (gradient[i] + s.decay * w[i]);
        return;
    }
    sum_t *restrict m = parameters->first + at;
    if (s.optimizer == SGD) {
        for (int i = 0; i < n; i++) {
            m[i] = s.momentum * m[i] + (gradient[i] + s.decay * w[i]);
            w[i] -= s.rate * m[i];
        }
        return;
    }
    sum_t *restrict v = parameters->second + at;
    sum_t added = s.optimizer == ADAM ? s.decay : 0;
    sum_t kept = s.optimizer == ADAMW ? 1 - s.rate * s.decay : 1;
    for (int i = 0; i < n; i++) {
        sum_t g = gradient[i] + added * w[i];
        m[i] += (1 - s.keep1) * (g - m[i]);
        v[i] = s.keep2 * v[i] + (1 - s.keep2) * g * g;
        w[i] = kept * w[i] - s.scale1 * m[i] / (root(v[i]) * s.scale2 + s.epsilon);
    }
}
