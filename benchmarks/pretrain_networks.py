"""Networks that were tried beside the bundled one and not kept (pretrain_search.py trains them).

Each changes a single part of `WeeklyMixer`: the patches and head of the library; statistics of the history as a
further input; more weeks to copy from; separate embeddings of level and remainder.
"""
import torch
from torch import nn
from tsfm_public.models.tinytimemixer import TinyTimeMixerConfig, TinyTimeMixerForPrediction
from tsfm_public.models.tinytimemixer.modeling_tinytimemixer import TinyTimeMixerForPredictionHead

from ttm_notebooks.model.network import LAST_YEAR, LastYearHead, ObservedPatcher, WeeklyMixer

LAGS, SHORT_LAGS = (1, 2, 3, 4, 13, 26, 51, 52, 53), (1, 2, 4, 13, 26, 51, 52, 53)
STATISTICS = 35


class LibraryMixer(TinyTimeMixerForPrediction):
    """The unchanged model of the library: missing weeks enter as zero, interval widths follow the median."""

    def forward(self, past_values, past_observed_mask=None, **keywords):
        return super().forward(past_values=past_values, **keywords)


def known_weeks(series: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Values with 0 for NaN, and the mask of known weeks as numbers."""
    missing = torch.isnan(series)
    return series.masked_fill(missing, 0.0), (~missing).to(series.dtype)


def mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the known weeks; 0 without known weeks."""
    return (values * mask).sum(-1) / mask.sum(-1).clamp(min=1)


def size(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Logarithm of the root mean square of the known weeks."""
    return 0.5 * torch.log((values ** 2 * mask).sum(-1) / mask.sum(-1).clamp(min=1) + 1e-6)


def smooth(values: torch.Tensor, mask: torch.Tensor, weeks: int = 13) -> torch.Tensor:
    """Centred moving average of the known weeks, [..., T]."""
    kernel = values.new_ones(1, 1, weeks)
    sums = [
        nn.functional.conv1d(part.reshape(-1, 1, part.shape[-1]), kernel, padding=weeks // 2).reshape(part.shape)
        for part in (values * mask, mask)
    ]
    return sums[0] / sums[1].clamp(min=1)


def correlation(values: torch.Tensor, mask: torch.Tensor, lag: int) -> torch.Tensor:
    """Autocorrelation at `lag` over pairs of known weeks; 0 with fewer than three."""
    late, early, both = values[..., lag:], values[..., :-lag], mask[..., lag:] * mask[..., :-lag]
    scale = torch.sqrt((late ** 2 * both).sum(-1) * (early ** 2 * both).sum(-1))
    return torch.where(both.sum(-1) >= 3, (late * early * both).sum(-1) / (scale + 1e-3), torch.zeros_like(scale))


def statistics(series: torch.Tensor) -> torch.Tensor:
    """Autocorrelations, sizes of changes, tails, recent means: [..., 104] with NaN -> [..., `STATISTICS`]."""
    values, mask = known_weeks(series)
    centred, short = (values - mean(values, mask)[..., None]) * mask, (values - smooth(values, mask)) * mask
    week, year = ((centred[..., lag:] - centred[..., :-lag], mask[..., lag:] * mask[..., :-lag]) for lag in (1, 52))
    unit = short / (torch.exp(size(short, mask))[..., None] + 1e-3)
    lowest = values.masked_fill(mask == 0, 1e9).amin(-1, keepdim=True)
    features = [
        *(correlation(centred, mask, lag) for lag in LAGS),
        *(correlation(short, mask, lag) for lag in SHORT_LAGS),
        size(centred, mask),
        size(short, mask),
        size(*week),
        size(*year),
        year[1].mean(-1),
        mask.mean(-1),
        torch.log1p(mask.sum(-1)) / 4.6,
        mean(unit**3, mask).clamp(-5, 5) / 3,
        mean(unit**4, mask).clamp(0, 20) / 10,
        mean((values <= lowest + 1e-3).to(values.dtype), mask),
    ]
    features += [mean(values[..., -weeks:], mask[..., -weeks:]) for weeks in (4, 13, 26, 52)]
    features += [
        mean(values[..., -weeks:], mask[..., -weeks:])
        - mean(values[..., -52 - weeks : -52], mask[..., -52 - weeks : -52])
        for weeks in (13, 26)
    ]
    features += [size(short[..., -26:], mask[..., -26:]) - size(short, mask), mean(*year)]
    return torch.stack(features, -1).clamp(-8, 8)


class StatisticsPatcher(ObservedPatcher):
    """Patches, each plus an embedding of the statistics of the whole history: products that a mixer of sums lacks."""

    def __init__(self, patch_length: int, d_model: int):
        super().__init__(patch_length, d_model)
        self.statistics = nn.Sequential(nn.Linear(STATISTICS, 64), nn.GELU(), nn.Linear(64, d_model))
        nn.init.zeros_(self.statistics[2].weight), nn.init.zeros_(self.statistics[2].bias)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return super().forward(patches) + self.statistics(statistics(patches.flatten(-2))).unsqueeze(-2)


class DecomposedPatcher(ObservedPatcher):
    """Separate embeddings of the patches of the moving average and of the remainder."""

    def __init__(self, patch_length: int, d_model: int):
        super().__init__(patch_length, d_model)
        self.level = nn.Linear(patch_length, d_model, bias=False)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        values, mask = known_weeks(patches.flatten(-2))
        level = smooth(values, mask).unflatten(-1, patches.shape[-2:])
        return super().forward(patches - level) + self.level(level)


class SourcesHead(LastYearHead):
    """A head that copies from last year's weeks, smoothed weeks, recent levels and the level of a year before."""

    def __init__(self, config: TinyTimeMixerConfig):
        super().__init__(config)
        self.sources = len(LAST_YEAR) + 6
        self.last_year = nn.Linear(config.num_patches * config.decoder_d_model, self.sources * self.horizon)
        nn.init.zeros_(self.last_year.weight)
        with torch.no_grad():
            self.last_year.bias.copy_(torch.tensor([0.15] * len(LAST_YEAR) + [0.0] * 6).repeat_interleave(self.horizon))

    def forward(self, hidden_features, past_values, future_values=None):
        forecast = TinyTimeMixerForPredictionHead.forward(self, hidden_features, past_values, future_values)
        weights = self.last_year(self.flatten(hidden_features)).unflatten(-1, (self.sources, self.horizon))
        values, mask = known_weeks(past_values.transpose(1, 2))
        soft = smooth(values, mask, 5)
        weeks = [values[..., first : first + self.horizon] for first in LAST_YEAR] + [
            soft[..., first : first + self.horizon] for first in (52, 0)
        ]
        levels = [
            mean(values[..., part], mask[..., part])
            for part in (slice(-1, None), slice(-4, None), slice(-13, None), slice(-65, -52))
        ]
        weeks += [level[..., None].expand(weeks[0].shape) for level in levels]
        return forecast + (weights * torch.stack(weeks, dim=-2)).sum(-2).transpose(1, 2)


class StatisticsMixer(WeeklyMixer):
    """`WeeklyMixer` with the statistics of the history as a further input."""

    def __init__(self, config: TinyTimeMixerConfig):
        super().__init__(config)
        self.backbone.encoder.patcher = StatisticsPatcher(config.patch_length, config.d_model)


class DecomposedMixer(WeeklyMixer):
    """`WeeklyMixer` with separate embeddings of level and remainder."""

    def __init__(self, config: TinyTimeMixerConfig):
        super().__init__(config)
        self.backbone.encoder.patcher = DecomposedPatcher(config.patch_length, config.d_model)


class SourcesMixer(WeeklyMixer):
    """`WeeklyMixer` with more values to copy from."""

    def __init__(self, config: TinyTimeMixerConfig):
        super().__init__(config)
        self.head = SourcesHead(config)
