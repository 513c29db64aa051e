"""Members on series, volumes and tokens."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from tests.training.zoo.data import N_TOKENS
from tests.training.zoo.member import of, sequential
from tests.training.zoo.modules import K
from tests.training.zoo.modules_of_series import (
    Attention,
    Cells,
    Encoder,
    Positions,
    Recurrent,
    Text,
)

SERIES = of(
    "series",
    False,
    lstm_cells=lambda: Cells(nn.LSTMCell(4, 6)),
    rnn=(
        lambda: Recurrent(nn.RNN(4, 6, batch_first=True), 6),
        lambda: Recurrent(nn.RNN(4, 6, batch_first=True, nonlinearity="relu"), 6),
    ),
    gru=(
        lambda: Recurrent(nn.GRU(4, 6, batch_first=True), 6),
        lambda: Recurrent(nn.GRU(4, 6, 2, batch_first=True), 6),
    ),
    lstm=(
        lambda: Recurrent(nn.LSTM(4, 6, batch_first=True), 6),
        lambda: Recurrent(nn.LSTM(4, 3, batch_first=True, bidirectional=True), 6),
        lambda: Recurrent(nn.LSTM(4, 6, batch_first=True, proj_size=2), 2),
    ),
    lstm_with_dropout=lambda: Recurrent(nn.LSTM(4, 6, 2, batch_first=True, dropout=0.3), 6),
)
SERIES_TOGETHER = of(
    "series",
    True,
    encoder=(
        lambda: Encoder(dropout=0.0),
        lambda: Encoder(dropout=0.0, norm_first=True),
        lambda: Encoder(dropout=0.2),
        lambda: Encoder(dropout=0.0, activation=F.gelu),
    ),
    cells=(lambda: Cells(nn.GRUCell(4, 6)), lambda: Cells(nn.GRUCell(4, 6, bias=False))),
    attention=(
        lambda: Attention(),
        lambda: Attention(1),
        lambda: Attention(causal=True),
        lambda: Attention(add_bias_kv=True),
    ),
    convolution_of_series=(
        lambda: sequential(
            nn.Conv1d(5, 4, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(8, K)
        ),
        lambda: sequential(
            nn.Conv1d(5, 4, 3, padding=1), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(8, K)
        ),
    ),
)
OTHERS = [
    *of(
        "volumes",
        True,
        convolution_of_volumes=(
            lambda: sequential(nn.Conv3d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, K)),
            lambda: sequential(
                nn.Conv3d(1, 3, 3), nn.BatchNorm3d(3), nn.ReLU(), nn.Flatten(), nn.Linear(24, K)
            ),
        ),
    ),
    *of(
        "tokens",
        True,
        embedding=(
            lambda: Text(),
            lambda: Text(padding_idx=0),
            lambda: Text(scale_grad_by_freq=True),
        ),
        bounded_embedding=(lambda: Text(max_norm=0.5), lambda: Text(max_norm=0.1)),
        positions=(lambda: Positions(0.1), lambda: Positions(0.3)),
        bag=(
            lambda: sequential(nn.EmbeddingBag(N_TOKENS, 4), nn.Linear(4, K)),
            lambda: sequential(nn.EmbeddingBag(N_TOKENS, 4, mode="max"), nn.Linear(4, K)),
        ),
    ),
    *of("tokens", False, tied_embedding=lambda: Text(tied=True)),
]
