"""What every command does the same way, because the option table does it: help, version, mistakes,
and completions as the shells themselves run them."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BIN, ROOT, TIMEOUT, open_terminal, wait_until

COMMANDS = sorted(p.name for p in BIN.iterdir() if os.access(p, os.X_OK)) if BIN.is_dir() else []

# hcurl answers as curl does where scripts look.
ALL_HELP = {"hcurl": ["--help", "all"]}
HCURL_VERSION = r"""hcurl \d+\.\d+\.\d+ \([\w-]+\) hnet/\S+ OpenSSL/\S+.*
Release-Date: .*
Protocols: http https
Features: alt-svc .*
$"""

every_command = pytest.mark.parametrize("command", COMMANDS)


def run(command, *args, **options):
    return subprocess.run(
        [str(BIN / command), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        **options,
    )


def all_help(command):
    return run(command, *ALL_HELP.get(command, ["--help"])).stdout


def need(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


@every_command
def test_help_goes_to_stdout_and_fits_the_terminal(command):
    done = run(command, "--help", env={**os.environ, "COLUMNS": "72"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{command} - ")
    assert f"\nUsage: {command} " in done.stdout
    assert re.search(r"^  .*--version +print", done.stdout, re.M)
    prose = done.stdout.split("\nExamples:\n")[0]
    assert max(map(len, prose.splitlines())) <= 72


@every_command
def test_version_is_one_line_and_what_is_built_in(command):
    done = run(command, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    if command == "hcurl":
        assert re.match(HCURL_VERSION, done.stdout)
        return
    assert re.match(rf"{command} \(hnet\) \d+\.\d+\.\d+\n(built with .+\n)?$", done.stdout)
    assert command == "hecho" or "OpenSSL" in done.stdout


@every_command
def test_an_unknown_option_is_told_on_stderr(command):
    done = run(command, "--versoin")
    assert done.returncode == 2
    assert done.stdout == ""
    said = f"unknown option --versoin (did you mean --version?); see {command} --help"
    if command == "hcurl":
        said = """option --versoin: is unknown (did you mean --version?)
hcurl: try 'hcurl --help' or 'hcurl --manual' for more information"""
    assert done.stderr == f"{command}: {said}\n"


@every_command
def test_the_manual_page_passes_the_linter(command, tmp_path):
    need("mandoc")
    page = tmp_path / f"{command}.1"
    page.write_text(run(command, "--help-man").stdout)
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


@every_command
def test_every_visible_option_is_in_the_manual_page(command, tmp_path):
    need("mandoc")
    page = tmp_path / f"{command}.1"
    page.write_text(run(command, "--help-man").stdout)
    text = subprocess.run(["mandoc", "-T", "ascii", page], capture_output=True, text=True).stdout
    text = re.sub(".\b", "", text)
    options = re.findall(r"^ +(?:-\S, )?--(?:\[no-\])?([a-z0-9.-]+)", all_help(command), re.M)
    assert "version" in options
    missing = [o for o in options if f"--{o}" not in text]
    assert missing == []


BASH = r"""
source /dev/stdin
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"_$1"
printf '%s\n' "${COMPREPLY[@]}"
"""


@every_command
def test_bash_completes_an_option(command):
    need("bash")
    script = run(command, "--help-bash").stdout
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", command, "--ver"],
        input=script,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert "--version" in done.stdout.split()
    assert done.stderr == ""


@every_command
def test_fish_completes_an_option(command, tmp_path):
    need("fish")
    script = tmp_path / "script"
    script.write_text(run(command, "--help-fish").stdout)
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C '{command} --vers'"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert "--version\tprint the version" in done.stdout
    assert done.stderr == ""


@every_command
def test_zsh_completes_an_option(command, tmp_path):
    """zsh completes only on a terminal, so it gets one."""
    need("zsh")
    (tmp_path / f"_{command}").write_text(run(command, "--help-zsh").stdout)
    master, slave = open_terminal()
    zsh = subprocess.Popen(
        ["zsh", "-f", "-i"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(tmp_path), "PS1": ""},
    )
    os.close(slave)
    os.set_blocking(master, False)
    seen = bytearray()

    def shows(text):
        try:
            seen.extend(os.read(master, 65536))
        except BlockingIOError:
            pass
        return text in seen

    try:
        os.write(
            master,
            f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; print RE''ADY\n".encode(),
        )
        wait_until(lambda: shows(b"READY"), f"zsh is ready: {bytes(seen)!r}")
        os.write(master, f": {BIN}; {command} --hel\t".encode())
        wait_until(lambda: shows(f"{command} --help".encode()), f"zsh completes: {bytes(seen)!r}")
    finally:
        zsh.kill()
        zsh.wait()
        os.close(master)


WRONG_TYPES = {
    "FLAG": "HOPT_FLAG('x', NULL, o_t, number, \"\")",
    "COUNT": "HOPT_COUNT('x', NULL, o_t, flag, \"\")",
    "STRING": "HOPT_STRING('x', NULL, o_t, number, \"\")",
    "UINT": "HOPT_UINT('x', NULL, o_t, number, 0, 9, \"\")",
    "INT": "HOPT_INT('x', NULL, o_t, text, 0, 9, \"\")",
    "SIZE": "HOPT_SIZE('x', NULL, o_t, number, 9, \"\")",
    "SPAN": "HOPT_SPAN('x', NULL, o_t, wide, \"\")",
    "LIST": "HOPT_LIST('x', NULL, o_t, text, \"\")",
    "ENUM": "HOPT_ENUM('x', NULL, o_t, text, NULL, \"\")",
    "INCLUDE": "HOPT_INCLUDE(NULL, o_t, number, inner_t)",
}
SOURCE = """
#include "app/hopt.h"
typedef struct inner {{ int x; }} inner_t;
typedef struct o {{ int number; bool flag; const char *text; unsigned long long wide; inner_t inner; }} o_t;
const hopt_t table[];
const hopt_t table[] = {{{row}, HOPT_END}};
"""


def compiles(compiler, row):
    argv = [compiler, "-std=gnu11", "-D_GNU_SOURCE", f"-I{ROOT}/libcore", "-fsyntax-only", "-xc", "-"]
    return subprocess.run(argv, input=SOURCE.format(row=row), text=True, capture_output=True).returncode == 0


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_member_of_the_wrong_type_does_not_compile(compiler):
    need(compiler)
    assert compiles(compiler, "HOPT_FLAG('x', NULL, o_t, flag, \"\")")
    assert compiles(compiler, "HOPT_INCLUDE(NULL, o_t, inner, inner_t)")
    assert [kind for kind, row in WRONG_TYPES.items() if compiles(compiler, row)] == []
