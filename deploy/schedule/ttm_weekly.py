"""Airflow DAG: the weekly forecast of each data set, Mondays at six.

Requires Airflow 2.4 or newer and the variable `ttm_home` (the folder of the checkout, with its .venv). Each data set is
a separate task; tasks share nothing, so they can run in parallel. Exit codes 2, 3 and 4 need a person, so Airflow does
not retry them.
"""

from __future__ import annotations

import subprocess

import pendulum
from airflow.decorators import dag, task
from airflow.exceptions import AirflowException, AirflowFailException
from airflow.models import Variable

DATASETS = ("data/rossmann",)
NEEDS_A_PERSON = {2: "wrong argument or path", 3: "the data broke a quality rule: open quality.html",
                  4: "a key is missing or wrong"}


@dag(schedule="0 6 * * 1", start_date=pendulum.datetime(2026, 1, 5, tz="America/Sao_Paulo"), catchup=False,
     max_active_runs=1, default_args={"retries": 1, "retry_delay": pendulum.duration(minutes=10)}, tags=["forecast"])
def ttm_weekly():
    """Run `ttm run` for each data set, as of the Monday on which the DAG starts."""

    @task
    def forecast(dataset: str, data_interval_end: pendulum.DateTime | None = None) -> None:
        as_of = data_interval_end.in_timezone("America/Sao_Paulo").to_date_string()
        home = Variable.get("ttm_home")
        done = subprocess.run([f"{home}/.venv/bin/ttm", "run", dataset, "--as-of", as_of], cwd=home, check=False)
        if done.returncode in NEEDS_A_PERSON:
            raise AirflowFailException(f"{dataset}: {NEEDS_A_PERSON[done.returncode]} (exit code {done.returncode})")
        if done.returncode:
            raise AirflowException(f"{dataset}: exit code {done.returncode}")

    forecast.expand(dataset=list(DATASETS))


ttm_weekly()
