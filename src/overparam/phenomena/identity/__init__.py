"""Identity crisis: what networks learn from one example, the identity or a constant.

Question: A network that must return one image could learn to return any image, or this one
    whatever it is shown. Both fit. Which of the two does an architecture prefer, and why?

Reading: The post on 'Identity Crisis' (learning the identity map from one example; fully
    connected against convolutional; depth against width; the one-layer theorem), after Zhang et
    al. 2019.

Order: `by_depth` is the main figure: shallow learn the identity, deep the constant.
    `fully_connected` shows what has no locality, and `one_layer_theorem` why, exactly. `width`,
    `kernel_size` and `more_images` move the border between the two, `initialization` asks how
    much is chance, and `through_layers` looks inside.
"""
