"""A model with another share of last year; the share is a constant beside the weights."""

from ttm_notebooks.model.checkpoint import WeeklyModel, model_of


def with_share(model: WeeklyModel, share: float) -> WeeklyModel:
    """A copy of `model` whose forecasts move by `share` towards last year."""
    network = model.torch_network()
    network.last_year_share.fill_(share)
    return model_of(network, model.uri, model.card)
