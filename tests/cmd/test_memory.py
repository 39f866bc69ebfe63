"""Out of memory: from the n-th allocation on all of them fail, for every n a run gets to. The program
says so in one line and exits with 1, or it does its work; it never crashes, hangs or stays silent.

Only what the program itself asks for counts and fails: glibc's look-ups of services and hosts end the
process when they find no memory, whoever calls them."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import TIMEOUT, wait_until
from hecho_lab import SANITIZED, hecho  # noqa: F401

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer has an allocator of its own")

N_MAX = 200
HNMAP_MAX = 1000
SHIM = """
#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
static long first;
static uintptr_t low = UINTPTR_MAX, high;
static atomic_long count;
static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;

        if (part->p_type != PT_LOAD)
            continue;
        low = start < low ? start : low;
        high = start + part->p_memsz > high ? start + part->p_memsz : high;
    }
    return 1; /* the first one is the program */
}
__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("FAIL_FROM");

    dl_iterate_phdr(look, NULL);
    count = 0;
    first = text ? strtol(text, NULL, 10) : 0;
}
static int fails(void *caller)
{
    if (first == 0 || (uintptr_t)caller < low || (uintptr_t)caller >= high || ++count < first)
        return 0;
    errno = ENOMEM;
    return 1;
}
#define GUARD(call) (fails(__builtin_return_address(0)) ? NULL : (call))
void *malloc(size_t n) { return GUARD(__libc_malloc(n)); }
void *calloc(size_t n, size_t m) { return GUARD(__libc_calloc(n, m)); }
void *realloc(void *p, size_t n) { return GUARD(__libc_realloc(p, n)); }
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library to preload."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    path = str(folder / "shim.so")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, str(folder / "shim.c")], check=True)
    return path


def failing(shim, n):
    return {**os.environ, "LD_PRELOAD": shim, "FAIL_FROM": str(n)}


def assert_one_line(result, name):
    assert result.wait() == 1, result
    assert re.fullmatch(rf"{name}: [^\n]+\n", result.err()), result


@pytest.mark.parametrize("args", [[], ["-v"], ["-z"]])
def test_hnc_answers_or_says_why_not(lab, hecho, shim, args):
    port = str(hecho("0").port)
    for n in range(1, N_MAX):
        more = [] if "-z" in args else ["-N"]
        result = lab.run("hnc", *args, *more, "127.0.0.1", port, data=b"hi\n", env=failing(shim, n))
        if result.wait() == 0:
            assert result.out() == (b"" if "-z" in args else b"hi\n"), (n, result)
            return
        assert result.wait() == 1, (n, result)
        lines = [line for line in result.err().splitlines() if not line.startswith("Connection to ")]
        assert len(lines) == 1 and lines[0].startswith("hnc: "), (n, result)
    pytest.fail("it never had enough")


@pytest.mark.parametrize("args", [[], ["--prefix", "> "]])
def test_hecho_serves_or_says_why_not(lab, shim, args):
    for n in range(1, N_MAX):
        process = lab.spawn("hecho", *args, "0", env=failing(shim, n))
        wait_until(lambda: not process.running() or "listening" in process.err(), "it starts or ends")
        if not process.running():
            assert_one_line(process, "hecho")
            continue
        port = int(re.search(r"127\.0\.0\.1:(\d+)", process.err()).group(1))
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as sock:
            try:
                sock.sendall(b"x\n")
                answer = sock.recv(100)
            except ConnectionResetError:
                answer = b""
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, (n, process)
        if answer.endswith(b"x\n"):
            return
    pytest.fail("it never had enough")


@pytest.mark.parametrize("args", [
    ["-sL", "192.0.2.0/29"],
    ["-sL", "192.0.2.0/28", "--exclude", "192.0.2.7", "--randomize-hosts", "-oX", "-"],
    ["--unprivileged", "-Pn", "-p1-40", "127.0.0.1"],
    ["--unprivileged", "-p1-40", "127.0.0.1", "127.0.0.1", "-oG", "-"],
])
def test_hnmap_reports_or_says_why_not(lab, shim, args):
    """A name of an address may be missing; the report is whole, or its end says that it is not."""
    for n in range(1, HNMAP_MAX):
        result = lab.run("hnmap", "-n", *args, env=failing(shim, n))
        if result.wait() == 0:
            assert b"hnmap done" in result.out(), (n, result)
            return
        assert result.wait() == 1, (n, result)
        others = ("CAP_NET_RAW", "could not be asked")
        lines = [line for line in result.err().splitlines() if not any(text in line for text in others)]
        assert len(lines) in (1, 2) and all(line.startswith("hnmap: ") for line in lines), (n, result)
    pytest.fail("it never had enough")


@pytest.mark.parametrize("args", [[], ["--deny", "192.0.2.0/24", "-vv"]])
def test_hchat_serves_or_says_why_not(lab, shim, args):
    """Without memory a line may be lost, or somebody be sent away: the server goes on."""
    for n in range(1, N_MAX):
        process = lab.spawn("hchat", *args, "0", env=failing(shim, n))
        wait_until(lambda: not process.running() or "listening" in process.err(), "it starts or ends")
        if not process.running():
            assert process.wait() == 1, process
            assert process.err().startswith(("hchat: ", "{")) or not process.err(), process
            continue
        port = int(re.search(r"127\.0\.0\.1:(\d+)", process.err()).group(1))
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as sock:
            heard = b""
            try:
                sock.sendall(b"/me waves\n/quit\n")
                while piece := sock.recv(4096):
                    heard += piece
            except ConnectionResetError:
                pass
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, (n, process)
        if b"* you are guest1 in lobby, alone\n<guest1> *waves*\n* good bye\n" in heard:
            return
    pytest.fail("it never had enough")
