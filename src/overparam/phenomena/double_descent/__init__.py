"""Double descent: test error that falls, rises to a peak, and falls again.

Question: Why does a model that is just large enough to fit its training set do worst, and a much
    larger one well again? And what moves the peak: size, time, data, label noise?

Reading: The articles on memorization in overparameterized models (model growth, double descent,
    overtraining) and on the unreasonable effectiveness of overparameterization (linear regression
    beyond full rank).

Order: `random_features` shows the peak where algebra explains it, in seconds. `squared_loss` and
    `cross_entropy` show it in trained networks. `epoch_wise` follows it along one training, and
    `sample_wise` turns it around: more data that hurt.
"""
