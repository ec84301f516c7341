"""What each public name is, for editors and type checkers."""

from .desk.explore import explore as explore
from .evaluation.backtest import backtest as backtest
from .evaluation.results import load_results as load_results
from .forecast.engine import forecast as forecast
from .model.checkpoint import load_model as load_model
from .model.finetune import finetune as finetune
from .panel.panel import Panel as Panel
from .pipeline.company_data import open_dataset as open_dataset
from .pipeline.run import run_pipeline as run_pipeline

__version__: str
