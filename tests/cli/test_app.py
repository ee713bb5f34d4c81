"""The command line as a whole: help, usage errors, imports, and the small commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge import __version__
from edge.cli.options import model_errors_name_options
from edge.errors import EXIT_CONFIG, EXIT_USAGE, ModelError, UsageError
from edge.mqtt.answers import ANSWERS
from edge.mqtt.topics import PAYLOADS
from tests.support import ROOT
from tests.support.sensor import run_edge

COMMANDS = ["run", "demo", "check", "doctor", "watch", "annotate", "evaluate", "evaluate-events", "schema", "models"]


def test_version_is_printed() -> None:
    assert run_edge("--version").stdout.strip() == f"edge-pose {__version__}"


def test_help_explains_every_command() -> None:
    text = run_edge("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert "Exit codes" in text
    for command in COMMANDS:
        assert "Usage" in run_edge(command, "--help").stdout


@pytest.mark.parametrize("arguments", [["rnu"], ["run", "--confg", "x"], ["demo", "--frames", "-1"]])
def test_a_usage_error_shows_the_usage(arguments: list[str]) -> None:
    done = run_edge(*arguments)
    assert done.returncode == EXIT_USAGE
    assert "Usage" in done.stderr


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        ("NAME", ["schema", "nothing"]),
        ("NAME", ["models", "fetch", "nothing"]),
        ("NAME", ["models", "fetch", "posenet"]),
        ("--from", ["models", "fetch", "movenet", "--from", "/does/not/exist"]),
        ("OUT", ["annotate", "synthetic:walk", "/does/not/exist/out.png"]),
        ("--input-size", ["annotate", "synthetic:walk", "out.png", "--input-size", "9"]),
    ],
)
def test_an_argument_that_cannot_be_used_is_one_line(key: str, arguments: list[str]) -> None:
    done = run_edge(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (EXIT_USAGE, 1)
    assert done.stderr.startswith(f"edge-pose: {key}: ")


def test_a_missing_configuration_file_is_reported_in_one_line() -> None:
    done = run_edge("run", "--config", "/does/not/exist.toml")
    assert done.returncode == EXIT_CONFIG
    assert done.stderr.startswith("edge-pose: /does/not/exist.toml: no such file")
    assert done.stderr.count("\n") == 1


def test_help_and_run_import_only_what_they_need() -> None:
    def modules(*arguments: str) -> set[str]:
        script = (
            f"import sys; sys.argv = {['edge-pose', *arguments]}\n"
            "from edge.__main__ import main\n"
            "try: main()\n"
            "except BaseException: print(*sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
        return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}

    assert not modules("demo", "--help") & {"numpy", "PIL", "av", "paho", "ai_edge_litert", "msgspec"}
    assert not modules("--version") & {"numpy", "rich", "PIL", "av", "paho", "ai_edge_litert", "msgspec"}
    assert not modules("run", "--config", "/dev/null") & {"rich", "PIL", "av", "iotcore"}


def test_models_list_fits_80_columns(tmp_path: Path) -> None:
    environ = {"COLUMNS": "80", "XDG_DATA_HOME": str(tmp_path)}  # hides the models of this user
    listed = {
        model["name"]: model for model in json.loads(run_edge("models", "list", "--json", environ=environ).stdout)
    }
    assert listed["posenet"]["ok"] is listed["posenet-float16"]["ok"] is True
    assert [353, 481] in listed["posenet"]["input_sizes"]
    table = run_edge("models", "list", environ=environ)
    assert table.returncode == 0
    lines = table.stdout.splitlines()
    # Lines with a command contain the path of this installation, which may be long.
    assert [line for line in lines if (len(line) > 80 and "run: " not in line) or line != line.rstrip()] == []
    assert [line for line in lines if not line.startswith(" ")] == list(listed)
    assert "    posenet, CPU, height x width 257x257 353x481 481x641, 1.5 MB, Apache-2.0" in lines


def test_schema_prints_all_schemas_or_one() -> None:
    assert set(json.loads(run_edge("schema").stdout)) == {
        *PAYLOADS,
        "recording",
        *(f"response/{name}" for name in ANSWERS),
    }
    assert "poses" in json.dumps(json.loads(run_edge("schema", "keypoints").stdout))


@pytest.mark.parametrize(
    ("key", "model", "input_size", "option"),
    [
        ("model.name", "mine", None, "--model"),
        ("model.input_size", None, "353x481", "--input-size"),
        ("model.name", None, "353x481", None),
        ("model.input_size", "mine", None, None),
    ],
)
def test_errors_about_a_model_name_the_given_option(
    key: str, model: str | None, input_size: str | None, option: str | None
) -> None:
    with (
        pytest.raises(UsageError if option else ModelError) as refused,
        model_errors_name_options(model, input_size),
    ):
        raise ModelError(key, "problem", "remedy")
    assert (refused.value.key, refused.value.problem, refused.value.remedy) == (option or key, "problem", "remedy")
