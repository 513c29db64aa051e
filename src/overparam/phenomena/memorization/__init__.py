"""Memorization: models that can store their training set, row by row.

Question: What does a network do that could learn by heart whatever it is given? When does it
    store, and how can one see what it stored?

Reading: The article on memorization in overparameterized models (random labels, memorization in
    autoencoders).

Order: `random_labels` shows that the capacity is there, in networks that generalize on true
    labels. `hash_table` holds such a network against tables that do nothing but look up.
    `overfitting_leaks` says what an outsider learns from it: who was in the training set.
    `autoencoders` makes what is stored visible: the training images become attractors.
    `labels_one_by_one` says of which rows the labels are learned by heart, `long_tail` what that
    is good for, and `model_size` how it changes as networks grow; `narrow_bottleneck` limits it at
    kept accuracy. `proxies` asks what one training run already says of it, without models to
    compare with. `differential_privacy` caps it with noise, and says who pays.
"""
